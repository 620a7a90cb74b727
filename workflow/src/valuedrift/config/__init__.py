"""The typed models of a study's config; its JSON schema and its reference page are generated from them.

A rule passes to each step exactly the model that the step reads, as JSON with sorted keys. Snakemake compares that string, so an
edited key reruns the steps that read it and nothing else.
"""
