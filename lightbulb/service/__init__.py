"""The Lightbulb service: tables in, answers out, over gRPC."""
