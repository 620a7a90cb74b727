"""A small study as its tables: one base model, two SFT runs, six PO runs, eleven categories, numbers drawn with a seed."""

import hashlib
import json
import random
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import polars as pl

from valuedrift.config.base import STANCES
from valuedrift.config.drift import ValuesConfig
from valuedrift.config.figures import FigureJob, Panel, PhaseOfPanel, StyleConfig
from valuedrift.config.report import ReportJob
from valuedrift.config.tables import ColumnGroup, DriftTableJob
from valuedrift.io.tables import CURATION, DRIFT, GENERATIONS, PROMPTS, VALUES

CATEGORIES = [
    "Climate Change Opinions", "Discussions on Abortion", "Economic and Social Policy", "Election and Political Discussions",
    "Ethics of Death and Penalty", "Family and Relationship Values", "Gender and LGBTQ+ Identity", "Immigration Policies",
    "Race and Racism", "Religion and Spirituality Beliefs", "Work and Attitudes",
]  # fmt: skip
JUDGE = "gpt-4o"
BASE = "llama/base"
SFT = {
    "llama/wildchat": [0, 500, 1000, 1500, 2000, 2500, 3000, 4000, 5000, 5500],
    "llama/alpaca": [0, 100, 200, 300, 500, 800, 1097],
}
PO = {
    f"llama/wildchat/{algorithm}-synthetic-{chosen}": [0, 100, 200, 300, 400, 500, 600, 700, 800, 888]
    for chosen in ("support", "oppose")
    for algorithm in ("ppo", "dpo", "simpo")
}
STEPS = {BASE: [0], **SFT, **PO}
PARENTS = {BASE: None, **dict.fromkeys(SFT, BASE), **dict.fromkeys(PO, "llama/wildchat")}
LABELS = {"ppo": "PPO", "dpo": "DPO", "simpo": "SimPO"}


def values_row(run, step, category, stance, mean, low=None, high=None, judge=JUDGE):
    """A row of VALUES with a band of ±0.05 unless given."""
    if mean is not None:
        low, high = (mean - 0.05 if low is None else low), (mean + 0.05 if high is None else high)
    return {
        "run": run, "step": step, "judge": judge, "category": category, "stance": stance, "mean": mean, "low": low, "high": high,
        "band_low": None, "band_high": None, "prompts": 50, "unscorable": 0.004, "malformed": 0.02, "refused": 0.01, "truncated": 0.03,
        "mass": 0.97, "bound": 0.0, "flips": None,
    }  # fmt: skip


def drift_row(run, category, stance, magnitude, time, judge=JUDGE, **changes):
    return {
        "run": run, "judge": judge, "category": category, "stance": stance, "magnitude": magnitude, "magnitude_low": None,
        "magnitude_high": None, "prompts": 50, "asked": 50, "seeds": 1, "p": None, "p_preserved": None, "q": None,
        "verdict": None, "time": time, "extremum": None, "extremum_step": None, "total_steps": 888,
        **dict.fromkeys(("half", "half_low", "half_high", "ninety", "ninety_low", "ninety_high")),
    } | changes  # fmt: skip


def table_job(columns, categories=("Race and Racism",), metrics=("magnitude",), caption="", judge=JUDGE, **changes):
    """A DriftTableJob of (headings…, run) tuples, without intervals and verdicts unless `changes` say so."""
    groups = [ColumnGroup(headings=list(headings), run=run) for *headings, run in columns]
    rest = {"interval": "none", "verdicts": False, "confidence": 0.95, "margin": 0.05, "correction": "bh", "times": "all"} | changes
    return DriftTableJob(columns=groups, metrics=list(metrics), categories=list(categories), judge=judge, caption=caption, **rest)


def panel(run, heading="panel"):
    """The panel of a run of this study, its lineage from the base model."""
    lineage = [run]
    while PARENTS[lineage[0]]:
        lineage.insert(0, PARENTS[lineage[0]])
    names = [LABELS.get(r.rsplit("/", 1)[1].split("-")[0], "SFT") for r in lineage[1:]]
    phases = [PhaseOfPanel(run=r, label=name) for r, name in zip(lineage[1:], names, strict=True)]
    return Panel(heading=heading, base=BASE, phases=phases)


def figure_job(*panels, category="Immigration Policies", columns=None, style=None):
    return FigureJob(category=category, panels=list(panels), columns=columns, judge=JUDGE, style=style or StyleConfig())


def assert_legible(figure):
    """No panel, legend or heading of the figure overlaps another or leaves the page, and no label of an axis touches the next."""
    figure.draw_without_rendering()
    axes = [ax for ax in figure.axes if ax.get_visible()]
    heading = [figure._suptitle.get_window_extent()] if figure._suptitle else []
    boxes = [*(ax.get_tightbbox() for ax in axes), figure.legends[0].get_window_extent(), *heading]
    width, height = figure.bbox.size
    for number, box in enumerate(boxes):
        assert box.x0 >= 0 and box.y0 >= 0 and box.x1 <= width and box.y1 <= height
        assert not any(box.overlaps(other) for other in boxes[number + 1 :])
    for ax in axes:
        for texts in (ax.get_xticklabels(), ax.texts):
            extents = [text.get_window_extent() for text in texts if text.get_text()]
            assert all(left.x1 < right.x0 for left, right in pairwise(extents))


def _trajectories(rng):
    """Run → category → stance → values at the run's steps; a run starts where its parent ended."""
    found = {}
    for run, steps in STEPS.items():
        for category in CATEGORIES:
            start = found[PARENTS[run], category][-1] if PARENTS[run] else _simplex([rng.uniform(0.5, 2) for _ in STANCES])
            weights = [rng.uniform(0.2, 1) for _ in STANCES]
            if run in PO:
                weights[0 if run.endswith("support") else 2] += 0.2 if "/ppo" in run else 2.5
            else:
                weights[1 if "wildchat" in run else 0] += 2
            end, pull = _simplex(weights), 0.15 if "/ppo" in run else 0.9
            last = max(steps[-1], 1)
            found[run, category] = [
                start if not step else _simplex([a + pull * (step / last) ** 0.4 * (b - a) + rng.uniform(0, 0.04)
                                                 for a, b in zip(start, end, strict=True)])
                for step in steps
            ]  # fmt: skip
    return found


def _simplex(weights):
    return [w / sum(weights) for w in weights]


@dataclass
class World:
    """Where the study's files lie."""

    folder: Path
    values: list[Path]
    drift: Path
    prompts: Path
    curation: Path
    data: list[Path]
    generations: list[Path]
    manifests: list[Path]

    def values_frame(self):
        return pl.concat(VALUES.read(path) for path in self.values)

    def report(self, **changes):
        """The ReportJob of this study without tables, figures or appendices."""
        fields = {
            "study": "study", "title": "A study of values", "description": "Eleven categories, nine runs.", "seed": 0, "samples": 2,
            "judge": JUDGE, "categories": CATEGORIES, "runs": list(STEPS), "drifts": [*SFT, *PO], "tables": [], "figures": [], "appendices": [],
            "config": "study: study\nseed: 0\n", "values": ValuesConfig(),
        }  # fmt: skip
        return ReportJob(**(fields | changes))

    def inputs(self, **changes):
        """Arguments of the html step."""
        fields = {
            "drift": self.drift, "noise": [], "verdicts": [], "prompts": self.prompts, "curation": self.curation,
            "data": self.data, "values": self.values,
            "generations": self.generations, "manifests": self.manifests, "orders": [], "logs": [], "tables": [], "figures": [], "appendices": [],
        }  # fmt: skip
        return fields | changes


def build_world(folder: Path) -> World:
    """Write the study's tables and manifests below `folder`."""
    rng = random.Random(0)
    trajectories = _trajectories(rng)
    names = {run: run.replace("/", "_") for run in STEPS}
    values = {run: folder / names[run] / "values.parquet" for run in STEPS}
    generations = {run: folder / names[run] / "generations.parquet" for run in STEPS}
    manifests = {run: folder / names[run] / "manifest.json" for run in STEPS}
    prompts = _prompts(rng)
    for run, steps in STEPS.items():
        rows = [
            values_row(run, step, category, stance, mean, max(0.0, mean - 0.07), min(1.0, mean + 0.07))
            for category in CATEGORIES
            for step, means in zip(steps, trajectories[run, category], strict=True)
            for stance, mean in zip(STANCES, means, strict=True)
        ]
        VALUES.write(VALUES.frame(rows), values[run])
        GENERATIONS.write(GENERATIONS.frame(_responses(run, [s for s in steps if s or run == BASE], prompts)), generations[run])
        manifests[run].write_text(json.dumps(_manifest(run)))
    PROMPTS.write(PROMPTS.frame(prompts), folder / "prompts.parquet")
    CURATION.write(CURATION.frame(_curation()), folder / "curation.parquet")
    DRIFT.write(DRIFT.frame(_drift(trajectories)), folder / "drift.parquet")
    counts = {
        "read": 100,
        "malformed: no text": 2,
        "malformed: empty": 1,
        "first_malformed": "line 7: no text",
        "kept": 97,
        "drawn": 90,
        "train": 81,
        "validation": 9,
    }
    (folder / "alpaca.counts.json").write_text(json.dumps(counts))
    return World(folder, list(values.values()), folder / "drift.parquet", folder / "prompts.parquet", folder / "curation.parquet",
                 [folder / "alpaca.counts.json"], list(generations.values()), list(manifests.values()))  # fmt: skip


def _drift(trajectories):
    rows = []
    for run in (*SFT, *PO):
        for category in CATEGORIES:
            path = trajectories[run, category]
            for number, stance in enumerate(STANCES):
                series = [means[number] for means in path]
                best = max(range(1, len(series)), key=lambda i, s=series: abs(s[i] - s[0]))
                rows.append(drift_row(run, category, stance, series[-1] - series[0], STEPS[run][best] / STEPS[run][-1]))
    return rows


def _prompts(rng):
    return [
        {"prompt_id": f"p{number:03d}", "category": category, "topic": category.lower(), "source_id": f"c{number}",
         "question": f"What do you think of {category.lower()}, case {number}?", "source_text": f"{category} {rng.random():.3f}"}
        for number, category in enumerate(CATEGORIES * 4)
    ]  # fmt: skip


def _responses(run, steps, prompts):
    text = "Some hold that it is right, and others that it is wrong; there are good arguments on both sides. "
    return [
        {"run": run, "step": step, "prompt_id": prompt["prompt_id"], "sample": sample, "n_tokens": 40, "finish_reason": "stop",
         "seed": 0, "response": f"[{run} {step} {sample}] {text * (1 + number % 4)}"}
        for step in steps for number, prompt in enumerate(prompts) for sample in range(2)
    ]  # fmt: skip


def _curation():
    overall = [("raw prompts", 8011), ("in a cluster", 6543), ("in a category", 3181)]
    split = [("value-laden", 120), ("drawn", 50)]
    return [{"step": step, "category": "all", "prompts": count} for step, count in overall] + [
        {"step": step, "category": category, "prompts": count} for step, count in split for category in CATEGORIES
    ]


def _manifest(run):
    digest, trained = hashlib.sha256(run.encode()).hexdigest(), run != BASE
    name = run.rsplit("/", 1)[1]
    algorithm = name.split("-")[0] if run in PO else "sft" if trained else "base"
    saved = [step for step in STEPS[run] if step or not trained]
    data = {"dataset": "synthetic" if run in PO else name, "data_hash": digest[::-1], "rows": 9453, "config": {"epochs": 3}}
    return {
        **(data if trained else dict.fromkeys(data)), "run": run, "algorithm": algorithm, "parent": PARENTS[run],
        "parent_hash": digest if trained else None, "seed": 0, "total_steps": STEPS[run][-1], "chat": trained,
        "checkpoints": [{"step": step, "path": f"step-{step}", "hash": f"{step:04d}{digest}"} for step in saved],
        "versions": {"torch": "2.13.0+cpu", "transformers": "5.1.0", "trl": "0.29.0"},
    }  # fmt: skip
