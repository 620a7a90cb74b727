"""valuedrift traces how post-training changes the values that a language model expresses."""

__version__ = "0.1.0"
