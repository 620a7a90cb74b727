"""The typed models of a study's config: closed, described key by key, and the source of its JSON schema and reference page.

A rule hands each step exactly the model that the step reads, as JSON with sorted keys: that string is what Snakemake compares, so a
key reruns the steps that read it and nothing else.
"""
