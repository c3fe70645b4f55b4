"""What the commands do, a module a subject: imported when a command is run, with all that it needs."""
