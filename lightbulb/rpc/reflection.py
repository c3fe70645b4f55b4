"""Tells, by gRPC's reflection, what a server serves. Only servers import this: clients needn't have it."""

from __future__ import annotations

from google.protobuf.descriptor import FileDescriptor
from grpc_reflection.v1alpha import reflection, reflection_pb2, reflection_pb2_grpc

from lightbulb.pools import pool_of
from lightbulb.rpc.unreadable import RefusesUnreadable


def add_reflection(server: RefusesUnreadable, *files: FileDescriptor) -> None:
    """Tell of all services in `files`, of whichever pools they are, and of reflection itself."""
    told = (*files, reflection_pb2.DESCRIPTOR)
    names = [service.full_name for file in told for service in file.services_by_name.values()]
    kind = reflection.aio.ReflectionServicer if server.aio else reflection.ReflectionServicer
    reflection_pb2_grpc.add_ServerReflectionServicer_to_server(kind(names, pool=pool_of(*told)), server)
