"""Jobs of synthetic preferences."""

from valuedrift.config.base import SIDES
from valuedrift.config.synthetic import AnswersJob, CandidatesJob, RetrievalJob, SyntheticConfig, system_prompt
from valuedrift.study.jobs.base import StudyJobs


class SyntheticJobs(StudyJobs):
    @property
    def synthetic(self) -> SyntheticConfig:
        """The block `synthetic`; the rules that read it run only where the config has one."""
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
