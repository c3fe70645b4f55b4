"""What a model answered to a request that has a shadow: one record a side, and how it is written."""
