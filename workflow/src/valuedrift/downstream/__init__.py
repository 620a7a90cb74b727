"""Downstream benchmarks: how training changes general abilities, measured by lm-eval on the final models."""
