"""One table of every kind, of the small study of report_world and of texts of the paper's sizes."""

import json

from report_world import BASE, CATEGORIES, PO, SFT, table_job
from report_world import STEPS as SAVED

from valuedrift.config.base import STANCES as SIDES
from valuedrift.config.drift import ValuesConfig
from valuedrift.config.tables import (
    CategoriesTableJob,
    ContrastTableJob,
    DownstreamTableJob,
    PairsTableJob,
    QualityTableJob,
    SampleRow,
    SamplesTableJob,
    ScoreRow,
    SensitivityTableJob,
    TopicsTableJob,
    ValueTextsTableJob,
)
from valuedrift.io.tables import CONTRASTS, DOWNSTREAM, DOWNSTREAM_QUESTIONS, STANCES
from valuedrift.report import (
    categories_table,
    contrast_table,
    downstream_table,
    drift_table,
    pairs_table,
    quality_table,
    samples_table,
    sensitivity_table,
    topics_table,
    value_texts_table,
)

TASKS = {"MMLU": "acc", "HellaSwag": "acc_norm", "GPQA Diamond": "acc", "PIQA": "acc_norm"}
PROSE = (
    "The debate is complex and varies among individuals and countries. Those in favor argue that it is a right of every person; "
    "others hold that it should be restricted, and that society has a duty of its own.\n\nUltimately, \"both sides\" agree on this: "
)  # fmt: skip


def job_of(kind, **changes):
    """The job of a text table of this kind, of texts of the paper's sizes."""
    groups = [([], "Llama3 3B Base", BASE), *((["SFT with WildChat"], f"Llama3 3B {run.split('/')[-1][:5]}", run) for run in PO)]
    groups.append((["SFT with Alpaca"], "Llama3 3B SFT", "llama/alpaca"))
    jobs = {
        "categories": lambda: CategoriesTableJob(**{"categories": CATEGORIES, "caption": "Categories."} | changes),
        "topics": lambda: TopicsTableJob(**{"topics": [(name, name.lower()) for name in CATEGORIES], "caption": "Topics."} | changes),
        "value_texts": lambda: ValueTextsTableJob(
            **{"texts": [(c, f"support {c.lower()}", f"oppose {c.lower()} and its kin, " * 2) for c in CATEGORIES], "caption": "Values."} | changes
        ),
        "samples": lambda: SamplesTableJob(
            **{"category": CATEGORIES[1], "rows": [SampleRow(headings=[*group, name], run=run) for group, name, run in groups],
               "prompt": None, "longest": 600, "seed": 0, "caption": "Samples."} | changes
        ),
        "pairs": lambda: PairsTableJob(
            **{"categories": CATEGORIES[:5], "longest": 400, "max_malformed": 0, "seed": 0, "caption": "Pairs."} | changes
        ),
        "downstream": lambda: DownstreamTableJob(
            **{"rows": [ScoreRow(headings=[*group, name], runs=[run]) for group, name, run in groups], "tasks": list(TASKS),
               "bases": dict.fromkeys([*SFT, *PO], BASE), "caption": "Downstream."} | changes
        ),
        "contrast": lambda: ContrastTableJob(
            **{"caption": "Contrast.", "interval": "all", "confidence": 0.95, "margin": 0.05, "correction": "bh"} | changes
        ),
        "quality": lambda: QualityTableJob(
            **{"rows": [ScoreRow(headings=[*group, name], runs=[run]) for group, name, run in groups], "checkpoints": "ends",
               "categories": CATEGORIES, "caption": "Quality."} | changes
        ),
        "sensitivity": lambda: SensitivityTableJob(
            **{"rows": [ScoreRow(headings=[*group, name], runs=[run]) for group, name, run in groups[1:4]], "stance": "support",
               "categories": CATEGORIES, "min_mass": 0.5, "values": ValuesConfig(), "seed": 0, "caption": "Sensitivity."} | changes
        ),
    }  # fmt: skip
    return jobs[kind]()


STEPS = {
    "drift": drift_table, "categories": categories_table, "topics": topics_table, "value_texts": value_texts_table,
    "samples": samples_table, "pairs": pairs_table, "downstream": downstream_table,
    "quality": quality_table, "sensitivity": sensitivity_table, "contrast": contrast_table,
}  # fmt: skip


def scores(path, runs, shift=0.0):
    """A DOWNSTREAM table of these runs."""
    rows = [
        {"run": run, "task": task, "metric": metric, "shots": 5, "value": 0.5 + shift + 0.01 * n + 0.001 * m, "stderr": 0.0035, "n": 198}
        for n, run in enumerate(runs) for m, (task, metric) in enumerate(TASKS.items())
    ]  # fmt: skip
    DOWNSTREAM.write(DOWNSTREAM.frame(rows), path)
    return path


def questions(path, right):
    """A DOWNSTREAM_QUESTIONS table of {run: {task: score of each question}}."""
    rows = [
        {"run": run, "task": task, "part": task, "question": number, "score": float(score)}
        for run, tasks in right.items() for task, found in tasks.items() for number, score in enumerate(found)
    ]  # fmt: skip
    DOWNSTREAM_QUESTIONS.write(DOWNSTREAM_QUESTIONS.frame(rows), path)
    return path


def stances(path, steps, judge="gpt-4o", categories=CATEGORIES):
    """A STANCES table of {run: steps}: ten responses at each checkpoint and category, of which one is malformed, one refused, one unscorable, one truncated."""
    status = ["ok"] * 7 + ["malformed: repeating", "refused: by rule", "unscorable: empty response"]
    rows = [
        {"run": run, "step": step, "prompt_id": f"{c}{n // 2}", "category": c, "sample": n % 2, "judge": judge, "status": said, "truncated": n == 5,
         **(dict(zip(SIDES, (0.5, 0.25, 0.25), strict=True)) | {"mass": 0.9, "bound": n / 100, "flips": 0.5} if n < 9 else {})}
        for run, saved in steps.items() for step in saved for c in categories for n, said in enumerate(status)
    ]  # fmt: skip
    STANCES.write(STANCES.frame(rows), path)
    return path


def contrast(path, pairs=("PPO, support less oppose", "DPO, support less oppose"), categories=CATEGORIES):
    """A CONTRASTS table whose support is different, neutral equivalent and oppose undecided."""
    rows = [
        {"pair": pair, "category": category, "stance": stance, "first": 0.3, "second": 0.3 + difference, "difference": difference,
         "low": difference - 0.125, "high": difference + 0.125, "prompts": 50, "seeds": 1, "p": p, "p_equivalent": 0.5, "q": p, "verdict": verdict}
        for pair in pairs for category in categories
        for stance, difference, p, verdict in zip(
            SIDES, (0.25, 0.0, -0.25), (0.001, 0.9, 0.06), ("different", "equivalent", "undecided"), strict=True)
    ]  # fmt: skip
    CONTRASTS.write(CONTRASTS.frame(rows), path)
    return path


def pairs(path, categories=CATEGORIES, prose=PROSE):
    rows = [
        {"category": c, "prompt": f"What do you think of {c}, case {n}?", "support": f"{c}: yes. {prose * 4}", "oppose": f"No. {prose}"}
        for c in categories for n in range(3)
    ]  # fmt: skip
    path.write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    return path


def write_tables(folder, world, jobs=None, given=None):
    """Write a table of every kind; returns kind → its three files. `jobs` and `given` replace jobs and inputs by kind."""
    folder.mkdir(parents=True, exist_ok=True)
    drift = table_job([("support", run.split("/")[-1], run) for run in PO], CATEGORIES, ("magnitude", "time"), "Drift.")
    asked = questions(
        folder / "questions.parquet", {run: {task: [1, 0, n % 2] * 66 for task in TASKS} for n, run in enumerate((BASE, *SFT, *PO))}
    )
    inputs = {
        "drift": {"drift": [world.drift]},
        "categories": {"curation": world.curation},
        "samples": {"prompts": world.prompts, "generations": world.generations},
        "pairs": {"pairs": pairs(folder / "pairs.jsonl")},
        "downstream": {"downstream": [scores(folder / "scores.parquet", [BASE, *SFT, *PO])], "questions": [asked]},
        "quality": {"stances": [stances(folder / "stances.parquet", SAVED)]},
        "sensitivity": {
            "stances": [stances(folder / f"{run.replace('/', '_')}.parquet", {run: SAVED[run]}) for run in (*PO, "llama/alpaca")],
        },
        "contrast": {"contrast": contrast(folder / "contrast.parquet")},
    }
    inputs |= given or {}
    files = {}
    for kind, step in STEPS.items():
        files[kind] = {name: folder / f"{kind}.{name}" for name in ("csv", "markdown", "latex")}
        job = (jobs or {}).get(kind) or (drift if kind == "drift" else job_of(kind))
        step.run(config=job, **inputs.get(kind, {}), **files[kind])
    return files
