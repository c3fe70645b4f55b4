"""What generated code is made of: descriptors in a pool, and the message classes of them.

Protobuf keeps a process' descriptors in one default pool, which refuses two files that define the same
name. Packages that others define too, such as `inference` or `google.rpc`, live in a pool of ours alone:
so `lightbulb` shares a process with whoever brings his own.

A message of one pool is no message of another, be its name the same. So a Struct or an Any of
google.protobuf can't be put into a private message: change the one that is in it already.
"""

from __future__ import annotations

from collections.abc import Iterable, MutableMapping
from typing import Any

from google.protobuf.descriptor import Descriptor, FileDescriptor
from google.protobuf.descriptor_pool import Default, DescriptorPool
from google.protobuf.internal.enum_type_wrapper import EnumTypeWrapper
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass
from google.protobuf.reflection import GeneratedProtocolMessageType

DEFAULT: DescriptorPool = Default()
"""The pool of everybody, for names that nobody else has."""

PRIVATE = DescriptorPool()
"""Ours alone, for names that others define too."""


def define(
    module: MutableMapping[str, Any], pool: DescriptorPool, file: bytes, needs: Iterable[FileDescriptor] = ()
) -> FileDescriptor:
    """Add a serialized file to a pool, its messages and enums to the module; `needs` is what it imports.

    Only long-lived parts of protobuf's runtime are used, so that any version that we allow will do; what
    protoc writes for Python demands a runtime as new as itself.
    """
    for needed in needs:
        for message in _add(pool, needed).message_types_by_name.values():
            GetMessageClass(message)  # protobuf's pure Python makes none by itself
    descriptor = pool.AddSerializedFile(file)
    for name, enum in descriptor.enum_types_by_name.items():
        module[name] = EnumTypeWrapper(enum)
        module.update({value.name: value.number for value in enum.values})
    for name, message in descriptor.message_types_by_name.items():
        module[name] = _message_class(message, module["__name__"], "")
    return descriptor


def pool_of(*files: FileDescriptor) -> DescriptorPool:
    """Return a new pool with files of several pools, for reflection, which looks into one alone."""
    pool = DescriptorPool()
    for file in files:
        _add(pool, file)
    return pool


def _add(pool: DescriptorPool, file: FileDescriptor) -> FileDescriptor:
    for needed in file.dependencies:
        _add(pool, needed)
    return pool.AddSerializedFile(file.serialized_pb)


def _message_class(message: Descriptor, module: str, outer: str) -> GeneratedProtocolMessageType:
    nested = {
        name: _message_class(each, module, f"{outer}{message.name}.")
        for name, each in message.nested_types_by_name.items()
    }
    parts = {**nested, "DESCRIPTOR": message, "__module__": module, "__qualname__": outer + message.name}
    return GeneratedProtocolMessageType(message.name, (Message,), parts)
