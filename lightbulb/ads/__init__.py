"""ADS, the ground floor: messages, the client end, the server end. It never says what a resource means."""
