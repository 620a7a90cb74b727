from valuedrift.cli import dispatch

dispatch(
    __package__,
    {
        "raw": "read the source and drop exact duplicates",
        "questions": "rephrase statements as questions",
        "embeddings": "questions as unit vectors",
        "category_embeddings": "the study's categories as unit vectors",
        "reduction": "UMAP",
        "clusters": "HDBSCAN with soft membership",
        "ngrams": "the n-grams that tell a cluster from the others",
        "names": "a readable name for each cluster",
        "categories": "each cluster to its category, or to none",
        "suggestion": "the config's categories filled in with the clusters found",
        "map2d": "UMAP to the plane",
        "page": "the clusters found, as a page to decide from",
        "value_laden": "tell value-laden questions from factual ones",
        "sample": "draw the evaluation prompts of each category",
        "counts": "how many prompts each step kept",
    },
)
