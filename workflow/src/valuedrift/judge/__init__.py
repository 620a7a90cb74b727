"""Judging: how likely a response is to support, be neutral on, or oppose its topic."""
