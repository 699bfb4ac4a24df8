"""Readers, one file per format; `opsin.data.read` decides which one reads a path."""
