"""The verbs of the command line and of Python, one file each."""
