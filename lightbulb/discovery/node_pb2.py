"""Generated from lightbulb/discovery/node.proto by protos/generate.py. Don't edit."""

from google.protobuf import struct_pb2
from lightbulb.pools import PRIVATE, define

DESCRIPTOR = define(globals(), PRIVATE, b'\n\x1elightbulb/discovery/node.proto\x12\x14envoy.config.core.v3\x1a\x1cgoogle/protobuf/struct.proto"\x8d\x01\n\x04Node\x12\x0e\n\x02id\x18\x01 \x01(\tR\x02id\x12\x18\n\x07cluster\x18\x02 \x01(\tR\x07cluster\x123\n\x08metadata\x18\x03 \x01(\x0b2\x17.google.protobuf.StructR\x08metadata\x12&\n\x0fuser_agent_name\x18\x06 \x01(\tR\ruserAgentNameB\x1fZ\x1dlightbulb/discovery;discoveryb\x06proto3', (struct_pb2.DESCRIPTOR,))
