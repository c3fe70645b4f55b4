"""`python -m controlplane` is the `lightbulb` command."""

from controlplane.cli.main import main

main()
