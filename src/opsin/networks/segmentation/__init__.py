"""Networks that name every pixel, one file per family."""
