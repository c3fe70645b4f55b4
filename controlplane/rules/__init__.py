"""Workspace files to a RuleSet: read, evaluate in the sandbox, compile."""
