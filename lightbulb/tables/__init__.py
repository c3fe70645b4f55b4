"""The tables that answers come from: kept up to date, and kept on disk."""
