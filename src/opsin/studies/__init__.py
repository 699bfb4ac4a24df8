"""Studies: named variants of a recipe, times seeds, trained and compared side by side."""
