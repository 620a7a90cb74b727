"""Attacks on valuedrift, as an enemy and bad luck would make them: a server that fails, kills at any time, files that rot on the disk.

`python -m chaos`, with `tests` in PYTHONPATH, makes as many as fit into its time and prints what survived. Its seed repeats them.
"""
