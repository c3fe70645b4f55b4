"""The `lightbulb` command."""
