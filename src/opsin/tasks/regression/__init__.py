"""Regression: one number per image."""
