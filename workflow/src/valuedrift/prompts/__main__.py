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
        "ngrams": "the n-grams that distinguish each cluster from the others",
        "names": "a readable name for each cluster",
        "categories": "assign each cluster to a category, or to none",
        "suggestion": "the config's categories filled in with the clusters found",
        "map2d": "UMAP to two dimensions, for the map",
        "page": "an HTML page of the clusters, for assigning them to categories",
        "value_laden": "separate value-laden questions from factual ones",
        "sample": "draw the evaluation prompts of each category",
        "counts": "how many prompts each step kept",
    },
)
