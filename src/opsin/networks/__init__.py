"""Networks by family, and one table of their names."""
