"""What control planes keep: one contract, a SQLite file or Redis."""
