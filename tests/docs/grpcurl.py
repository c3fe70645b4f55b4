"""Stands in for grpcurl, which isn't a Python package: as much of it as the documents use.

Like grpcurl it asks the server itself, by reflection, what a method takes and returns.
"""

from __future__ import annotations

import argparse

import grpc
from google.protobuf import json_format
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.message_factory import GetMessageClass
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import ProtoReflectionDescriptorDatabase


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("-plaintext", action="store_true", required=True)
    parser.add_argument("-d", dest="data", default="{}")
    parser.add_argument("address")
    parser.add_argument("method")
    asked = parser.parse_args()
    with grpc.insecure_channel(asked.address) as channel:
        pool = DescriptorPool(ProtoReflectionDescriptorDatabase(channel))
        service, _, name = asked.method.rpartition("/")
        method = pool.FindServiceByName(service).FindMethodByName(name)
        request = json_format.Parse(asked.data, GetMessageClass(method.input_type)())
        call = channel.unary_unary(
            f"/{asked.method}",
            request_serializer=type(request).SerializeToString,
            response_deserializer=GetMessageClass(method.output_type).FromString,
        )
        print(json_format.MessageToJson(call(request, timeout=60)))


if __name__ == "__main__":
    main()
