"""Pages other than the report of a run: comparison, check, study, cross-validation, learning curve."""
