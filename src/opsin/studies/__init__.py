"""Studies: named variants of a recipe, trained with several seeds and compared."""
