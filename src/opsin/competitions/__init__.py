"""Scoring of files of predictions by the rules of published competitions."""
