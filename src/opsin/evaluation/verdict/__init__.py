"""Findings of the verdict that several tasks share."""
