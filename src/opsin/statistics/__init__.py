"""Intervals and tests; NumPy and SciPy alone."""
