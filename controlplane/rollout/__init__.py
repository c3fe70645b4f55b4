"""From a published plan to an active one, in steps that acknowledgements gate."""
