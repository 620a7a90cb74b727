"""Synthetic preferences: prompts of each category, each answered for and against its value (section 6.1 and appendix E).

candidates → retrieve → answers → pairs. Which answer is the chosen one is decided when a run is trained: both labellings come
from one table.
"""
