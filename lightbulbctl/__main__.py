"""`python -m lightbulbctl` is the `lightbulb` command."""

from lightbulbctl.main import main

main()
