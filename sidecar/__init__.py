"""An Envoy sidecar: its bootstrap, and how to run it."""
