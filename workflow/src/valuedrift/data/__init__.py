"""SFT sets and preference sets: rows of public schemas become messages and pairs, counted, split and in one form."""
