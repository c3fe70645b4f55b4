"""Examples: models on a reference host, clients in other languages."""
