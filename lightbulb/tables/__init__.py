"""The tables that are answered from: held, kept up to date, and kept on disk."""
