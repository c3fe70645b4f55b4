"""What the client library and the Lightbulb service share: messages, errors, how to listen and connect."""
