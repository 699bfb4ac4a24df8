"""Tasks: the loss, predictions and scores of a network, one file per task."""
