"""A reference serving host: Open Inference Protocol v2 over gRPC, assigned its models over ADS."""
