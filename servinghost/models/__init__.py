"""The models that this host can load."""
