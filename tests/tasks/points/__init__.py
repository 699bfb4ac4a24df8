"""A task that the package does not have: the middle of the points marked in an image, of which each has any number.

What adding it takes: this room, a target form (`targets.py`), a reader (`reader.py`), and a line in the registry.
"""
