"""Jobs of curation."""

from typing import Any

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
from valuedrift.study.chats import CURATION_STEPS, chat_of
from valuedrift.study.jobs.base import StudyJobs

INSTRUCTIONS = {"questions": "rephrase", "cluster_names": "name", "value_laden": "filter"}
"""Rule → key of its instruction in `prompts.instructions`."""


class PromptJobs(StudyJobs):
    def raw_prompts(self) -> str:
        source = self.config.prompts.source
        return source.model_copy(update={"path": self.study.dataset_at(source.path, source.revision)}).canonical()

    def questions(self) -> QuestionsJob:
        return QuestionsJob(**self._method("questions"))

    def cluster_names(self) -> NamesJob:
        return NamesJob(**self._method("cluster_names"))

    def value_laden(self) -> ValueLadenJob:
        return ValueLadenJob(**self._method("value_laden"))

    def _method(self, rule: str) -> dict[str, Any]:
        """Return the method of a step, with chat model and instruction only where the method is llm: else neither is read."""
        method, chat = getattr(self.config.prompts, CURATION_STEPS[rule]), chat_of(self.study, rule)
        if chat is None:
            return {"method": method}
        instruction = getattr(self.config.prompts.instructions, INSTRUCTIONS[rule])
        return {"method": method, "chat": self.study.chat(chat), "instruction": instruction}

    def embedding(self) -> str:
        return self.encoder(self.config.prompts.embedding).canonical()

    def category_embeddings(self) -> str:
        embedding = self.encoder(self.config.prompts.embedding)
        return CategoryEmbeddingJob(embedding=embedding, texts=self.category_texts).canonical()

    def reduction(self) -> str:
        return self.seeded(ReductionJob, self.config.prompts.reduction)

    def clusters(self) -> str:
        return self.config.prompts.clustering.canonical()

    def ngrams(self) -> str:
        return self.config.prompts.ngrams.canonical()

    def map2d(self) -> str:
        reduction = self.config.prompts.reduction
        return MapJob(seed=self.config.seed, neighbors=reduction.neighbors, metric=reduction.metric).canonical()

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
