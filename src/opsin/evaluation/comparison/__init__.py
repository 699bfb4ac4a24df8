"""Paired comparison of runs on the same images."""
