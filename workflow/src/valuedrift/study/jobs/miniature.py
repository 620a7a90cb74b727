"""Jobs of the built-in world."""

from valuedrift.config.miniature import FoundJob, MiniatureConfig, RecoveryJob
from valuedrift.errors import UserError
from valuedrift.study.jobs.base import StudyJobs

ORACLE = "valuedrift.miniature.oracle:judge"


class MiniatureJobs(StudyJobs):
    def miniature(self, *keys: str) -> str:
        """Return the block `miniature` with the given keys, which a step of it reads; all others are at their defaults."""
        values = {key: getattr(self.config.miniature, key) for key in keys}
        return MiniatureConfig.model_validate({"folder": ".", **values}).canonical()

    def recovery(self) -> str:
        oracle = next((name for name, judge in self.config.judges.items() if judge.function == ORACLE), None)
        if oracle is None:
            raise UserError(f"config: `judges`: the recovery table needs a judge with `function: {ORACLE}`")
        return RecoveryJob(oracle=oracle, judge=self.study.judge, runs=list(self.study.runs), corpora=self._corpora()).canonical()

    def found(self) -> str:
        return FoundJob(corpora=self._corpora()).canonical()

    def _corpora(self) -> dict[str, str]:
        return {run.id: run.dataset or "base" for run in self.study.of("base", "sft")}
