"""What a config means: its runs and their lineage, where artifacts are, what each step reads, and whether it all fits together."""
