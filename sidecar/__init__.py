"""An Envoy sidecar: its bootstrap, how to run it, and the relay that configures it."""
