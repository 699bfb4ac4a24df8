"""Several labels per image."""
