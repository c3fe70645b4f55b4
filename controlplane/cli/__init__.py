"""The `lightbulb` command line."""
