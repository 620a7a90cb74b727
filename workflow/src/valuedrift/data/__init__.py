"""Prepares SFT sets and preference sets: parses rows of public schemas into messages and pairs, counts and splits them."""
