"""Ratios of contestants, side by side in one run: `python -m bench`. Never part of what is installed."""
