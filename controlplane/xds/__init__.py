"""What consumers are sent: resources (pure), and the snapshots that they are served from."""
