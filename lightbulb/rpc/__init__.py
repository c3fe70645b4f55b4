"""What the client library and the Lightbulb service say to each other, and how both listen and connect."""
