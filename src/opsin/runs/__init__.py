"""Run folders and collections of them."""
