"""Curation: from raw prompts to the study's value-laden questions."""

from typing import Annotated, Literal

from pydantic import Field

from valuedrift.config.base import Category, Closed, Count, NonNegative, Share


class SourceConfig(Closed):
    path: str
    """Local file with the raw prompts, or hub name."""
    revision: str | None = None
    """Commit of the hub repository; none for a local file."""
    text: str = "user_prompt"
    """Column that holds the prompt."""
    id: str = "id"
    """Column that identifies it."""
    max_malformed: Share = 0.01
    """The stage stops when more than this share of the rows is malformed."""


class EmbeddingConfig(Closed):
    model: str = "all-MiniLM-L6-v2"
    """Sentence-transformers model: a folder, a hub name, or all-MiniLM-L6-v2, which is installed with the package. The paper's is
    all-mpnet-base-v2."""
    batch_size: Count = 64
    """Prompts embedded at once."""


class ReductionConfig(Closed):
    """UMAP; the defaults are PRISM's."""

    dimensions: Count = 20
    """Dimensions that UMAP reduces the embeddings to."""
    neighbors: Annotated[int, Field(ge=2)] = 15
    """UMAP's n_neighbors."""
    min_dist: NonNegative = 0.0
    """UMAP's min_dist."""
    metric: Literal["cosine", "correlation", "euclidean", "manhattan", "chebyshev", "canberra", "braycurtis"] = "cosine"
    """UMAP's metric; its others need two dimensions, parameters or counts."""


class ClusteringConfig(Closed):
    """HDBSCAN; the defaults are PRISM's."""

    min_cluster_size: Annotated[int, Field(ge=2)] = 80
    """HDBSCAN's min_cluster_size."""
    min_samples: Count | None = None
    """HDBSCAN's min_samples; by default min_cluster_size."""
    metric: Literal["euclidean", "manhattan", "chebyshev"] = "euclidean"
    """HDBSCAN's metric; soft membership exists for those that its trees can search."""
    min_membership: Share = 0.0
    """A prompt outside every cluster joins the one where its soft membership is largest, if it is more than this."""


class NgramConfig(Closed):
    longest: Count = 2
    """Words in the longest n-gram."""
    top: Count = 10
    """N-grams kept for each cluster, by TF-IDF."""


class CategoryConfig(Closed):
    topic: str
    """What the judge is asked about (the paper's Table 3)."""
    description: str = ""
    """Words that describe the category to the similarity search, beside its name and topic."""
    clusters: list[str] = []
    """Names of clusters that belong here whatever their similarity."""


class PromptsConfig(Closed):
    source: SourceConfig
    """Where the raw prompts come from."""
    rephrase: Literal["rules", "none"] = "rules"
    """How statements become questions."""
    embedding: EmbeddingConfig = EmbeddingConfig()
    """How questions become vectors."""
    reduction: ReductionConfig = ReductionConfig()
    """UMAP's settings."""
    clustering: ClusteringConfig = ClusteringConfig()
    """HDBSCAN's settings."""
    ngrams: NgramConfig = NgramConfig()
    """The n-grams that describe a cluster."""
    naming: Literal["ngrams"] = "ngrams"
    """How clusters get their names."""
    categories: Annotated[dict[Category, CategoryConfig], Field(min_length=1)]
    """The study's categories; each cluster goes to the most similar one."""
    min_similarity: Share = 0.3
    """A cluster less similar than this (cosine) to every category belongs to none."""
    filter: Literal["rules", "none"] = "rules"
    """How value-laden questions are told from factual ones."""
    per_category: Count = 50
    """Prompts drawn for each category."""


# What single steps read, where that is not one of the blocks above.


class ReductionJob(ReductionConfig):
    seed: int


class CategoryEmbeddingJob(Closed):
    embedding: EmbeddingConfig
    texts: dict[Category, str]
    """Category → its name, topic and description in one string."""


class CategoriesJob(Closed):
    clusters: dict[Category, list[str]]
    """Category → names of the clusters that belong to it whatever their similarity."""
    min_similarity: float


class SampleJob(Closed):
    seed: int
    per_category: int
    topics: dict[Category, str]
