"""The one place where the store's values meet protos/lightbulb/v1/store.proto.

What is written is deterministic, and sealed with a checksum: a database tells a page that is broken, but not
a bit that has turned within a value.
"""

from __future__ import annotations

import hashlib
import zlib

from google.protobuf.message import DecodeError, Message

from controlplane.store.contract import MAX_BLOB_BYTES, Corrupt, Event, LogEntry, TooLarge
from lightbulb.model import DEFAULT_TENANT
from lightbulb.v1 import store_pb2 as pb

_SEAL_BYTES = 4


def seal(body: bytes, key: str = "") -> bytes:
    """Return `body` behind a CRC-32 of the key that it is kept under and of itself (4 bytes, big-endian)."""
    return zlib.crc32(body, zlib.crc32(key.encode())).to_bytes(_SEAL_BYTES, "big") + body


def unseal(sealed: bytes, what: str, key: str = "") -> bytes:
    """Return what was sealed; raise Corrupt, naming `what` it is, when it or its key isn't that any more."""
    body = sealed[_SEAL_BYTES:]
    if sealed != seal(body, key):
        raise Corrupt(f"{what} isn't what was written (its checksum differs); restore a backup of the store")
    return body


def entry_to_bytes(entry: LogEntry) -> bytes:
    """Return a line of the log, sealed."""
    return _bytes(
        pb.StoredEntry(
            number=entry.number,
            content_hash=entry.content_hash,
            source_hash=entry.source_hash,
            author=entry.author,
            message=entry.message,
            source_revision=entry.source_revision,
            published_at=entry.published_at,
            tenant=_to_proto(entry.tenant),
        )
    )


def entry_from_bytes(sealed: bytes, number: int) -> LogEntry:
    """Return the line of the log that is kept as `number`; raise Corrupt when it isn't that one."""
    what = f"entry {number} of the log"
    message = pb.StoredEntry()
    _parse(message, sealed, what)
    if message.number != number:
        raise Corrupt(f"{what} says that it is number {message.number}; restore a backup of the store")
    return LogEntry(
        number=message.number,
        content_hash=message.content_hash,
        source_hash=message.source_hash,
        author=message.author,
        message=message.message,
        source_revision=message.source_revision,
        published_at=message.published_at,
        tenant=message.tenant or DEFAULT_TENANT,
    )


def event_to_bytes(event: Event) -> bytes:
    """Return a line of the audit trail, sealed."""
    return _bytes(
        pb.StoredEvent(
            at=event.at,
            author=event.author,
            action=event.action,
            generation=event.generation,
            detail=event.detail,
            kind=event.kind,
            cause=event.cause,
            tenant=_to_proto(event.tenant),
        )
    )


def event_from_bytes(sealed: bytes) -> Event:
    """Return a line of the audit trail; raise Corrupt when it isn't one."""
    message = pb.StoredEvent()
    _parse(message, sealed, "an event of the audit trail")
    return Event(
        at=message.at,
        author=message.author,
        action=message.action,
        generation=message.generation,
        detail=message.detail,
        kind=message.kind,
        cause=message.cause,
        tenant=message.tenant or DEFAULT_TENANT,
    )


def hash_to_put(blob: bytes) -> str:
    """Return the hash under which a blob is kept; raise TooLarge beyond MAX_BLOB_BYTES."""
    if len(blob) > MAX_BLOB_BYTES:
        raise TooLarge(
            f"a generation of {len(blob)} bytes, where {MAX_BLOB_BYTES} may be kept; "
            "publish fewer objectives, cells or models from one workspace"
        )
    return hashlib.sha256(blob).hexdigest()


def verified(blob: bytes, content_hash: str) -> bytes:
    """Return a blob that was read; raise Corrupt when it isn't the one that was put."""
    if hashlib.sha256(blob).hexdigest() != content_hash:
        raise Corrupt(
            f"the generation kept as {content_hash} isn't what was put there (its hash differs); "
            "restore a backup of the store, or publish it again"
        )
    return blob


def _to_proto(tenant: str) -> str:
    """Return a tenant's name; empty for the default one, as it was before there were others."""
    return "" if tenant == DEFAULT_TENANT else tenant


def _bytes(message: Message) -> bytes:
    return seal(message.SerializeToString(deterministic=True), message.DESCRIPTOR.name)


def _parse(message: Message, sealed: bytes, what: str) -> None:
    try:
        message.ParseFromString(unseal(sealed, what, message.DESCRIPTOR.name))
    except DecodeError as error:
        raise Corrupt(f"{what} can't be read ({error}); restore a backup of the store") from error
