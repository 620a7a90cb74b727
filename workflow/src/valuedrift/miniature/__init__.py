"""The built-in world: a small language of opinions, datasets in the schemas of the real ones, and tiny models of that language.

It makes a study's inputs; that study is a config like any other, and no later stage depends on the miniature.
"""
