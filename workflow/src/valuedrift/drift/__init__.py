"""Drift: from stances to values at each checkpoint, and from values to drift magnitude and drift time."""
