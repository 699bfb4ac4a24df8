"""Figures, the report of a run, and what a notebook shows of it. Reads run folders and nothing else."""
