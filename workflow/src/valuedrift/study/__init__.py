"""What a config means: its runs and their lineage, where artifacts lie, what each step reads, and whether it fits together."""
