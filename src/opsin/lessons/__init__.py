"""Lessons: the code of `opsin.scratch` run on data, with explanations and figures on a page."""
