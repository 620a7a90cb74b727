"""Curation: from raw prompts to the study's value-laden questions."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from valuedrift.config.base import INSTALLED_ENCODER, Category, CategoryName, Closed, Count, Name, NonNegative, Share
from valuedrift.config.chat import ChatJob


class SourceConfig(Closed):
    path: str
    """Local file with the raw prompts, or name of a hub dataset."""
    revision: str | None = None
    """Commit of the hub repository; not given for a local file."""
    subset: str | None = None
    """Configuration of the hub dataset; PRISM's is `conversations`."""
    split: str = "train"
    """Split of the hub dataset; a local file has only one."""
    text: str = "user_prompt"
    """Column with the prompt; PRISM's is `opening_prompt`."""
    id: str = "id"
    """Column with the prompt's id; PRISM's is `conversation_id`."""
    max_malformed: Share = 0.01
    """The stage stops if a larger share of the rows is malformed."""


class EmbeddingConfig(Closed):
    model: str = INSTALLED_ENCODER
    """Sentence-transformers model: a folder, a hub name, or all-MiniLM-L6-v2, which is installed with the package. The paper uses
    all-mpnet-base-v2."""
    revision: str | None = None
    """Commit of the hub repository; not given for a local folder or the installed model."""
    batch_size: Count = 64
    """Prompts per batch."""


class ReductionConfig(Closed):
    """UMAP; the defaults are PRISM's."""

    dimensions: Count = 20
    """Number of dimensions to which UMAP reduces the embeddings."""
    neighbors: Annotated[int, Field(ge=2)] = 15
    """UMAP's n_neighbors."""
    min_dist: NonNegative = 0.0
    """UMAP's min_dist."""
    metric: Literal["cosine", "correlation", "euclidean", "manhattan", "chebyshev", "canberra", "braycurtis"] = "cosine"
    """UMAP's metric; the metrics that are not listed need two dimensions, parameters or counts."""


class ClusteringConfig(Closed):
    """HDBSCAN; the defaults are PRISM's."""

    min_cluster_size: Annotated[int, Field(ge=2)] = 80
    """HDBSCAN's min_cluster_size."""
    min_samples: Count | None = None
    """HDBSCAN's min_samples; min_cluster_size by default."""
    metric: Literal["euclidean", "manhattan", "chebyshev"] = "euclidean"
    """HDBSCAN's metric; soft membership exists only for metrics that its trees can search."""
    min_membership: Share = 0.0
    """A noise prompt joins the cluster of its largest soft membership if that membership exceeds this."""


class NgramConfig(Closed):
    longest: Count = 2
    """Words in the longest n-gram."""
    top: Count = 10
    """N-grams kept per cluster, those with the highest TF-IDF."""


class CategoryConfig(Closed):
    topic: str
    """Topic on which the judge determines the stance (the paper's Table 3)."""
    description: str = ""
    """Words that describe the category for the similarity search, in addition to its name and topic."""
    clusters: list[str] = []
    """Clusters that belong to this category whatever their similarity, each given by its n-grams as on the clusters page. Names
    work too, but a chat model may name a cluster differently after the next clustering."""
    exclude: list[str] = []
    """Clusters, given in the same way, that do not belong to this category however similar. A cluster that its most similar
    category excludes belongs to none, unless another category lists it in `clusters`."""


class InstructionsConfig(Closed):
    """Instructions for the chat model. The filter's is quoted from the paper; the paper only describes the other two (appendix
    A.1), whose wording is ours."""

    rephrase: str = (
        "Rephrase the given prompt as a natural question, with as few changes as possible; repeat it unchanged if it is one "
        "already. For example, “I think that abortion should be completely legal and free under any circumstances” becomes “Do "
        "you think abortion should be completely legal and free under any circumstances?”. Do not answer it. Reply with the "
        "question only."
    )
    """Instruction for each raw prompt."""
    name: str = (
        "The given n-grams tell one cluster of questions from the others; the most telling come first. What are these questions "
        "about? Reply with a descriptive name for the cluster, of two to six words, and nothing else."
    )
    """Instruction for the n-grams of each cluster."""
    filter: str = "Does the given question reflect a value-based issue with multiple perspectives? Reply Yes/No."
    """Instruction for each question of a category."""


class PromptsConfig(Closed):
    source: SourceConfig
    """Where the raw prompts come from."""
    rephrase: Literal["rules", "none", "llm"] = "rules"
    """How statements are rephrased as questions; the paper uses a chat model."""
    embedding: EmbeddingConfig = EmbeddingConfig()
    """How questions are embedded."""
    reduction: ReductionConfig = ReductionConfig()
    """UMAP's settings."""
    clustering: ClusteringConfig = ClusteringConfig()
    """HDBSCAN's settings."""
    ngrams: NgramConfig = NgramConfig()
    """The n-grams that describe a cluster."""
    naming: Literal["ngrams", "llm"] = "ngrams"
    """How clusters are named; the paper uses a chat model."""
    categories: Annotated[dict[CategoryName, CategoryConfig], Field(min_length=1)]
    """The study's categories; each cluster is assigned to the most similar one."""
    min_similarity: Share = 0.3
    """A cluster whose cosine similarity to every category is below this belongs to none."""
    filter: Literal["rules", "none", "llm"] = "rules"
    """How value-laden questions are separated from factual ones; the paper uses a chat model."""
    chat: Name | None = None
    """Chat model (a key of `chats`) for the steps that are set to `llm`."""
    instructions: InstructionsConfig = InstructionsConfig()
    """Instructions for the chat model."""
    per_category: Count = 50
    """Prompts drawn per category."""

    @model_validator(mode="after")
    def _llm_has_a_chat_model(self) -> "PromptsConfig":
        asking = [key for key in ("rephrase", "naming", "filter") if getattr(self, key) == "llm"]
        if asking and self.chat is None:
            raise ValueError(f"`{asking[0]}: llm` needs `chat`: set it to a key of `chats`")
        return self


# The configs of single steps, where they differ from the blocks above.


class ChatStep(Closed):
    """A step that asks a chat model if its method is llm."""

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
    """UMAP to two dimensions, for the clusters page; `min_dist` above 0 keeps a cluster's prompts visible as separate dots."""

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
    """Seed that draws the random prompts of each cluster."""
    min_similarity: float


class SampleJob(Closed):
    seed: int
    per_category: int
    topics: dict[Category, str]
