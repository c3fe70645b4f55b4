"""The processes that a benchmark consists of: each answers requests that come in over its standard input."""
