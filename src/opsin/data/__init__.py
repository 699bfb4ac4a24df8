"""From files to batches: reading, splitting, preprocessing, augmenting, loading."""
