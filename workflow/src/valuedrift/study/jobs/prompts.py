"""Jobs of downloads, curation and synthetic preferences."""

from typing import Any

from valuedrift.config.base import SIDES
from valuedrift.config.hub import AccessJob, HubItem
from valuedrift.config.prompts import (
    CategoriesJob,
    CategoryEmbeddingJob,
    ClustersPageJob,
    MapJob,
    NamesJob,
    QuestionsJob,
    ReductionJob,
    SampleJob,
    SuggestionJob,
    ValueLadenJob,
)
from valuedrift.config.synthetic import AnswersJob, CandidatesJob, RetrievalJob, SyntheticConfig, system_prompt
from valuedrift.study.jobs.base import StudyJobs


class PromptJobs(StudyJobs):
    def access(self, folders: list[str], tasks: list[str]) -> str:
        """What is to be had from the hub: the downloads to these folders, and what these benchmarks read at a pinned commit."""
        models, datasets = (
            {places[folder] for folder in folders if folder in places}
            for places in (self.study.hub_models, self.study.hub_datasets)
        )
        blocks = [self.config.downstream.tasks[task] for task in tasks]
        datasets |= {item for block in blocks if block.data is None for item in block.revisions.items()}
        return AccessJob(
            models=[HubItem(name=name, revision=revision) for name, revision in sorted(models)],
            datasets=[HubItem(name=name, revision=revision) for name, revision in sorted(datasets)],
        ).canonical()

    def download(self, folder: str) -> str:
        name, revision = (self.study.hub_models | self.study.hub_datasets)[folder]
        return HubItem(name=name, revision=revision).canonical()

    def raw_prompts(self) -> str:
        source = self.config.prompts.source
        return source.model_copy(update={"path": self.study.dataset_at(source.path, source.revision)}).canonical()

    def questions(self) -> QuestionsJob:
        return QuestionsJob(**self._method("rephrase", "rephrase"))

    def cluster_names(self) -> NamesJob:
        return NamesJob(**self._method("naming", "name"))

    def value_laden(self) -> ValueLadenJob:
        return ValueLadenJob(**self._method("filter", "filter"))

    def asks(self, step: str) -> str | None:
        """The chat model that a step of curation asks, if it asks one."""
        return self.config.prompts.chat if getattr(self.config.prompts, step) == "llm" else None

    def _method(self, step: str, instruction: str) -> dict[str, Any]:
        """The method of a step, with chat model and instruction only where it asks one."""
        method, chat = getattr(self.config.prompts, step), self.asks(step)
        if chat is None:
            return {"method": method}
        told = getattr(self.config.prompts.instructions, instruction)
        return {"method": method, "chat": self.study.chat(chat), "instruction": told}

    def embedding(self) -> str:
        return self.encoder(self.config.prompts.embedding).canonical()

    def reduction(self) -> str:
        return self.seeded(ReductionJob, self.config.prompts.reduction)

    def map(self) -> str:
        reduction = self.config.prompts.reduction
        return MapJob(seed=self.config.seed, neighbors=reduction.neighbors, metric=reduction.metric).canonical()

    def category_embeddings(self) -> str:
        embedding = self.encoder(self.config.prompts.embedding)
        return CategoryEmbeddingJob(embedding=embedding, texts=self.category_texts).canonical()

    def categories(self) -> str:
        prompts = self.config.prompts
        clusters = {name: category.clusters for name, category in prompts.categories.items()}
        exclude = {name: category.exclude for name, category in prompts.categories.items() if category.exclude}
        return CategoriesJob(clusters=clusters, exclude=exclude, min_similarity=prompts.min_similarity).canonical()

    def suggestion(self) -> str:
        prompts = self.config.prompts
        return SuggestionJob(categories=prompts.categories, min_similarity=prompts.min_similarity).canonical()

    def clusters_page(self) -> str:
        return ClustersPageJob(
            title=self.title, seed=self.config.seed, min_similarity=self.config.prompts.min_similarity
        ).canonical()

    def sample(self) -> str:
        prompts = self.config.prompts
        topics = {name: category.topic for name, category in prompts.categories.items()}
        return SampleJob(seed=self.config.seed, per_category=prompts.per_category, topics=topics).canonical()

    # --- synthetic preferences ---

    @property
    def synthetic(self) -> SyntheticConfig:
        assert self.config.synthetic
        return self.config.synthetic

    def candidates(self) -> str:
        return CandidatesJob(
            sources=self.synthetic.sources, embedding=self.encoder(self.synthetic.embedding), texts=self.category_texts,
            longest_prompt=self.synthetic.longest_prompt,
        ).canonical()  # fmt: skip

    def retrieval(self) -> str:
        return RetrievalJob(threshold=self.synthetic.threshold, cap=self.synthetic.cap).canonical()

    def answers(self) -> AnswersJob:
        return AnswersJob(
            chat=self.study.chat(self.synthetic.chat),
            prompts={
                category: {side: system_prompt(self.synthetic.system, texts, side, self.synthetic.literal) for side in SIDES}
                for category, texts in self.value_texts.items()
            },
        )
