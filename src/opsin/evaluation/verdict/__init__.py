"""Verdict: findings that several tasks share."""
