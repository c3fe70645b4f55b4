"""The control plane's gRPC API: protobuf in, protobuf out."""
