"""The ADS server: a pure session machine, pure resources, a thin gRPC shell."""
