"""Prediction with a trained run: all that serving needs, and nothing of training."""
