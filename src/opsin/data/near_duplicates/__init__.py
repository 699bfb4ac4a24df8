"""Near-duplicate images: candidates, alignment, comparison."""
