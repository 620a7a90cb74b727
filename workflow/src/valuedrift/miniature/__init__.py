"""The built-in world: a small language of opinions, datasets in the schemas of the real ones, and the tiny models that speak it.

It makes a study's inputs and then is one more config; no later stage knows of it.
"""
