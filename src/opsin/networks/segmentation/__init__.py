"""Segmentation networks, one file per architecture."""
