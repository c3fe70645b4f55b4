"""How an objective's traffic moves from one model to another, and what judges it: values and decisions."""
