"""How good a trained network is, how sure that is, and what it means: scorecard, intervals, gallery, diagnosis."""
