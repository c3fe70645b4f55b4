"""The ADS subscriber that Lightbulb and serving hosts share."""
