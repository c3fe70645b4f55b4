"""Who gets which model, and why: pure functions of a table and a request context."""
