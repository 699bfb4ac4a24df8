"""Readers, one file per format; `opsin.data.reading` decides which one reads a path."""
