"""Confidence intervals and tests, in pure NumPy and SciPy."""
