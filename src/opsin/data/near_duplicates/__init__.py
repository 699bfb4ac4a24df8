"""Detection of near-duplicate images: candidates, alignment, comparison."""
