"""Curation: from raw prompts to the study's value-laden questions."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from valuedrift.config.base import INSTALLED_ENCODER, Category, Closed, Count, Name, NonNegative, Share
from valuedrift.config.chat import ChatJob


class SourceConfig(Closed):
    path: str
    """Local file with the raw prompts, or hub name."""
    revision: str | None = None
    """Commit of the hub repository; none for a local file."""
    subset: str | None = None
    """Configuration of the hub dataset: PRISM's `conversations`."""
    split: str = "train"
    """Split of the hub dataset; local files have one."""
    text: str = "user_prompt"
    """Column that holds the prompt: PRISM's `opening_prompt`."""
    id: str = "id"
    """Column that identifies it: PRISM's `conversation_id`."""
    max_malformed: Share = 0.01
    """The stage stops when more than this share of the rows is malformed."""


class EmbeddingConfig(Closed):
    model: str = INSTALLED_ENCODER
    """Sentence-transformers model: a folder, a hub name, or all-MiniLM-L6-v2, which is installed with the package. The paper's is
    all-mpnet-base-v2."""
    revision: str | None = None
    """Commit of the hub repository; none for a local folder or the installed model."""
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
    """Clusters that belong here whatever their similarity, each by its n-grams as the clusters page writes them; a name works too,
    but a chat model's may be another after the next clustering."""
    exclude: list[str] = []
    """Clusters, called likewise, that do not belong here however similar. Where the most similar category excludes a cluster, it
    belongs to none, unless another names it in `clusters`."""


class InstructionsConfig(Closed):
    """What the chat model is told. The paper prints the filter's words; those of the other two, which it only describes (appendix
    A.1), are ours."""

    rephrase: str = (
        "Rephrase the given prompt as a natural question, with as few changes as possible; repeat it unchanged if it is one "
        "already. For example, “I think that abortion should be completely legal and free under any circumstances” becomes “Do "
        "you think abortion should be completely legal and free under any circumstances?”. Do not answer it. Reply with the "
        "question only."
    )
    """For each raw prompt."""
    name: str = (
        "The given n-grams tell one cluster of questions from the others; the most telling come first. What are these questions "
        "about? Reply with a descriptive name for the cluster, of two to six words, and nothing else."
    )
    """For the n-grams of each cluster."""
    filter: str = "Does the given question reflect a value-based issue with multiple perspectives? Reply Yes/No."
    """For each question of a category."""


class PromptsConfig(Closed):
    source: SourceConfig
    """Where the raw prompts come from."""
    rephrase: Literal["rules", "none", "llm"] = "rules"
    """How statements become questions; by a chat model in the paper."""
    embedding: EmbeddingConfig = EmbeddingConfig()
    """How questions become vectors."""
    reduction: ReductionConfig = ReductionConfig()
    """UMAP's settings."""
    clustering: ClusteringConfig = ClusteringConfig()
    """HDBSCAN's settings."""
    ngrams: NgramConfig = NgramConfig()
    """The n-grams that describe a cluster."""
    naming: Literal["ngrams", "llm"] = "ngrams"
    """How clusters get their names; from a chat model in the paper."""
    categories: Annotated[dict[Category, CategoryConfig], Field(min_length=1)]
    """The study's categories; each cluster goes to the most similar one."""
    min_similarity: Share = 0.3
    """A cluster less similar than this (cosine) to every category belongs to none."""
    filter: Literal["rules", "none", "llm"] = "rules"
    """How value-laden questions are told from factual ones; by a chat model in the paper."""
    chat: Name | None = None
    """Chat model, of `chats`, for the steps that are set to `llm`."""
    instructions: InstructionsConfig = InstructionsConfig()
    """What the chat model is told."""
    per_category: Count = 50
    """Prompts drawn for each category."""

    @model_validator(mode="after")
    def _llm_has_a_chat_model(self) -> "PromptsConfig":
        asking = [key for key in ("rephrase", "naming", "filter") if getattr(self, key) == "llm"]
        if asking and self.chat is None:
            raise ValueError(f"`{asking[0]}: llm` needs `chat`: a chat model of `chats`")
        return self


# What single steps read, where that is not one of the blocks above.


class ChatStep(Closed):
    """A step that may ask a chat model; it does where its method is llm."""

    method: str
    chat: ChatJob | None = None
    instruction: str | None = None

    @model_validator(mode="after")
    def _llm_is_complete(self) -> "ChatStep":
        if self.method == "llm" and (self.chat is None or self.instruction is None):
            raise ValueError("the method llm needs `chat` and `instruction`")
        return self


class QuestionsJob(ChatStep):
    method: Literal["rules", "none", "llm"]


class NamesJob(ChatStep):
    method: Literal["ngrams", "llm"]


class ValueLadenJob(ChatStep):
    method: Literal["rules", "none", "llm"]


class ReductionJob(ReductionConfig):
    seed: int


class MapJob(ReductionJob):
    """UMAP to the plane, for the clusters page; a little distance between neighbours shows that a cluster is many prompts."""

    dimensions: Literal[2] = 2
    min_dist: NonNegative = 0.1


class CategoryEmbeddingJob(Closed):
    embedding: EmbeddingConfig
    texts: dict[Category, str]
    """Category → its name, topic and description in one string."""


class CategoriesJob(Closed):
    clusters: dict[Category, list[str]]
    """Category → names or terms of the clusters that belong to it whatever their similarity."""
    min_similarity: float
    exclude: dict[Category, list[str]] = {}
    """Category → names or terms of the clusters that do not belong to it however similar."""


class SuggestionJob(Closed):
    categories: dict[Category, CategoryConfig]
    min_similarity: float


class ClustersPageJob(Closed):
    title: str
    """The study's title."""
    seed: int
    """Draws the random prompts of each cluster."""
    min_similarity: float


class SampleJob(Closed):
    seed: int
    per_category: int
    topics: dict[Category, str]
