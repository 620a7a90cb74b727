"""Judging: how likely a response supports, is neutral on, or opposes its topic."""
