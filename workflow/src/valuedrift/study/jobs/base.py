"""What all jobs are made from."""

import json
from typing import Any

from valuedrift.config.base import Closed
from valuedrift.config.prompts import ChatStep, EmbeddingConfig
from valuedrift.config.synthetic import TABLE_7, AnswersJob, ValueTexts
from valuedrift.study.study import Study


class Untracked:
    """A parameter that reruns nothing when it changes: Snakemake compares values of Python's own kinds only."""

    def __init__(self, text: str) -> None:
        self.text = text

    def __str__(self) -> str:
        return self.text


NOT_DECISIVE = {"batch_size", "vllm", "fingerprint"}
"""Keys of engines and judges that say how a machine does it, and decide no result."""


def tracked(job: Closed, **decisive: Any) -> str:
    """A job as JSON with some of its blocks reduced to what of them decides the result."""
    return json.dumps(job.model_dump(mode="json") | decisive, sort_keys=True)


class StudyJobs:
    """Jobs of one study."""

    def __init__(self, study: Study) -> None:
        self.study, self.config = study, study.config

    @property
    def title(self) -> str:
        """What pages call the study."""
        return self.config.report.title or self.config.study

    def seeded(self, job: type[Closed], block: Closed) -> str:
        """A block of the config with the study's seed."""
        values: dict[str, Any] = block.model_dump() | {"seed": self.config.seed}
        return job.model_validate(values).canonical()

    @staticmethod
    def asking(job: ChatStep | AnswersJob) -> tuple[Untracked, str]:
        """The job of a step that may ask a chat model, and what of it decides the answers: pace or GPUs do not."""
        return Untracked(job.canonical()), tracked(job, chat=job.chat.identity if job.chat else None)

    def encoder(self, embedding: EmbeddingConfig) -> EmbeddingConfig:
        """The block with the place of the model."""
        return embedding.model_copy(update={"model": self.study.model_at(embedding.model, embedding.revision)})

    @property
    def value_texts(self) -> dict[str, ValueTexts]:
        """Category → the values of both sides of synthetic preferences; a category that the config gives none has its topic's."""
        given = TABLE_7 | (self.config.synthetic.values if self.config.synthetic else {})
        own = self.config.prompts.categories.items()
        topics = {name: ValueTexts(support=f"support {c.topic}", oppose=f"oppose {c.topic}") for name, c in own}
        return {name: given.get(name, topics[name]) for name in topics}

    @property
    def category_texts(self) -> dict[str, str]:
        """Category → its name, topic and description, which say in the similarity search what it is about."""
        categories = self.config.prompts.categories.items()
        return {name: f"{name}: {category.topic}. {category.description}".strip() for name, category in categories}
