"""The ADS subscriber that Lightbulb, serving hosts and relays share."""
