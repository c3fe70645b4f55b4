"""The data plane: which model answers this user, and under which routing key."""
