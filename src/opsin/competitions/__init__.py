"""Competitions: submission files, and scoring by the rules of published challenges."""
