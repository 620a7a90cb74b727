"""What the jobs of every stage are made from."""

import json
from typing import Any, NamedTuple

from valuedrift.config.base import Closed
from valuedrift.config.prompts import ChatStep, EmbeddingConfig
from valuedrift.config.synthetic import TABLE_7, AnswersJob, ValueTexts
from valuedrift.study.study import Study

NOT_DECISIVE = {"batch_size", "vllm", "fingerprint"}
"""Keys of engines and judges that say how a machine computes a result, and do not change it."""


class Untracked:
    """A parameter of a rule whose change reruns nothing: Snakemake compares values of Python's built-in types only."""

    def __init__(self, text: str) -> None:
        self.text = text

    def __str__(self) -> str:
        return self.text


class TrackedJob(NamedTuple):
    """A job of which some keys do not change the result."""

    config: Untracked
    """The whole job as JSON, which the step reads."""
    tracked: str
    """What of it decides the result, as JSON: what Snakemake compares."""


def tracked_job(job: Closed, **decisive: Any) -> TrackedJob:
    """Return the job; in what Snakemake compares, the blocks named in `decisive` are replaced by their decisive part."""
    return TrackedJob(Untracked(job.canonical()), json.dumps(job.model_dump(mode="json") | decisive, sort_keys=True))


class StudyJobs:
    """Jobs of one study."""

    def __init__(self, study: Study) -> None:
        self.study, self.config = study, study.config

    @property
    def title(self) -> str:
        """Title of the study's pages: its name where the config gives none."""
        return self.config.report.title or self.config.study

    def seeded(self, job: type[Closed], block: Closed) -> str:
        """Return a block of the config with the study's seed added."""
        values: dict[str, Any] = block.model_dump() | {"seed": self.config.seed}
        return job.model_validate(values).canonical()

    @staticmethod
    def chat_job(job: ChatStep | AnswersJob) -> TrackedJob:
        """Return the job of a step that can call a chat model; Snakemake compares what decides the answers: the model's pace, its
        server and its GPUs do not."""
        return tracked_job(job, chat=job.chat.identity if job.chat else None)

    def encoder(self, embedding: EmbeddingConfig) -> EmbeddingConfig:
        """Return the block with the folder of the encoder as its model."""
        return embedding.model_copy(update={"model": self.study.model_at(embedding.model, embedding.revision)})

    @property
    def category_texts(self) -> dict[str, str]:
        """Category → name, topic and description in one string, the query of similarity searches."""
        categories = self.config.prompts.categories.items()
        return {name: f"{name}: {category.topic}. {category.description}".strip() for name, category in categories}

    @property
    def value_texts(self) -> dict[str, ValueTexts]:
        """Category → the values of both sides: the config's own, else those of the paper's Table 7, else written from the topic."""
        given = TABLE_7 | (self.config.synthetic.values if self.config.synthetic else {})
        categories = self.config.prompts.categories.items()
        from_topic = {name: ValueTexts(support=f"support {c.topic}", oppose=f"oppose {c.topic}") for name, c in categories}
        return {name: given.get(name, from_topic[name]) for name in from_topic}
