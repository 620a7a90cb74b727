"""List the runs of a study, and how many there are of each kind."""

from collections import Counter
from pathlib import Path

from valuedrift.config.load import read_files
from valuedrift.config.train import Checkpoints
from valuedrift.manage.terminal import table
from valuedrift.study.lineage import Run
from valuedrift.study.load import load_study
from valuedrift.study.study import Study

HEADINGS = ("", "run", "algorithm", "data", "chosen", "seed", "saved", "settings of its own")


def run(*, config: list[Path]) -> None:
    """Print the runs of the study of the config files; later files are merged over earlier ones, as Snakemake does."""
    study = load_study(read_files(config))
    rows = [_row(number, one, study) for number, one in enumerate(study.runs.values(), 1)]
    print("\n".join(table(HEADINGS, rows, texts=len(HEADINGS))))
    kinds = Counter(one.algorithm for one in study.runs.values())
    counts = ", ".join(f"{number} {algorithm}" for algorithm, number in kinds.items())
    print(f"{len(study.runs)} runs: {counts}; {len(study.rewards)} reward models")


def _row(number: int, run: Run, study: Study) -> tuple[str, ...]:
    if run.training is None:
        return (str(number), run.id, run.algorithm, "", "", "", "", "")
    default = study.config.training.of(run.algorithm)
    own = {key: value for key, value in run.training if value != getattr(default, key) and key != "checkpoints"}
    settings = ", ".join(f"{key} {value}" for key, value in own.items())
    data, chosen, saved = run.dataset or "", run.chosen or "", _saved(run.training.checkpoints)
    return str(number), run.id, run.algorithm, data, chosen, str(run.seed), saved, settings


def _saved(checkpoints: Checkpoints) -> str:
    if checkpoints.every:
        return f"every {checkpoints.every}"
    return "at " + ", ".join(f"{fraction:g}" for fraction in checkpoints.fractions or [])
