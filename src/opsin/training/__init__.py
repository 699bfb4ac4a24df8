"""Training: one visible loop, and the parts it calls by name."""
