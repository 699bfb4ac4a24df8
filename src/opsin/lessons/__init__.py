"""Lessons: what `opsin.scratch` does, run on data, told in a few sentences, and drawn on a page."""
