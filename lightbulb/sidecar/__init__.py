"""A sidecar: a real Envoy, and a relay beside it that keeps its configuration on disk."""
