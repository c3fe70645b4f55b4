"""Generated from lightbulb/discovery/status.proto by protos/generate.py. Don't edit."""

from google.protobuf import any_pb2
from lightbulb.pools import PRIVATE, define

DESCRIPTOR = define(globals(), PRIVATE, b'\n lightbulb/discovery/status.proto\x12\ngoogle.rpc\x1a\x19google/protobuf/any.proto"f\n\x06Status\x12\x12\n\x04code\x18\x01 \x01(\x05R\x04code\x12\x18\n\x07message\x18\x02 \x01(\tR\x07message\x12.\n\x07details\x18\x03 \x03(\x0b2\x14.google.protobuf.AnyR\x07details"\xa8\x01\n\nBadRequest\x12P\n\x10field_violations\x18\x01 \x03(\x0b2%.google.rpc.BadRequest.FieldViolationR\x0ffieldViolations\x1aH\n\x0eFieldViolation\x12\x14\n\x05field\x18\x01 \x01(\tR\x05field\x12 \n\x0bdescription\x18\x02 \x01(\tR\x0bdescriptionB\x1fZ\x1dlightbulb/discovery;discoveryb\x06proto3', (any_pb2.DESCRIPTOR,))
