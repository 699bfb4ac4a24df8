"""Train, validation and test splits, folds and subsets."""
