"""Bytes that are no message, for every method of a server."""

import logging

import grpc.aio
import pytest
from google.protobuf.descriptor import FileDescriptor, MethodDescriptor

from lightbulb.rpc.details import error_info

GARBAGE = b"\xff"
"""The begin of a field's tag, and no end: no message of any type."""


async def refuses_garbage(
    target: str, domain: str, *files: FileDescriptor, caplog: pytest.LogCaptureFixture
) -> None:
    """Send garbage to every method that `files` tell of: each refuses it by name, and nothing is logged."""
    methods = [
        method for file in files for service in file.services_by_name.values() for method in service.methods
    ]
    assert methods
    async with grpc.aio.insecure_channel(target) as channel:
        for method in methods:
            name = f"/{method.containing_service.full_name}/{method.name}"
            with pytest.raises(grpc.aio.AioRpcError) as caught:
                await _call(channel, name, method)
            error = caught.value
            assert error.code() is grpc.StatusCode.INVALID_ARGUMENT, name
            info = error_info(error.trailing_metadata())
            assert info is not None, name
            assert info.domain == domain
    assert [each.getMessage() for each in caplog.records if each.levelno >= logging.ERROR] == []


async def _call(channel: grpc.aio.Channel, name: str, method: MethodDescriptor) -> None:
    if not method.client_streaming and not method.server_streaming:
        await channel.unary_unary(name)(GARBAGE, timeout=60)
        return
    call = (
        channel.stream_stream(name)(iter([GARBAGE]), timeout=60)
        if method.client_streaming
        else channel.unary_stream(name)(GARBAGE, timeout=60)
    )
    async for _ in call:
        pass
