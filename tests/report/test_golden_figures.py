"""Figures compared with the images in golden/, which a person has looked at.

After a wanted change: `UPDATE_GOLDEN=1 python -m pytest tests/report/test_golden_figures.py`, and look at the images before committing.
"""

import os
import shutil
from pathlib import Path

import pytest
from matplotlib.testing.compare import compare_images
from report_world import JUDGE, PO, assert_legible, figure_job, panel, values_row

from valuedrift.config.base import STANCES
from valuedrift.config.figures import AblationJob, AblationPoint, Panel, PhaseOfPanel, StyleConfig
from valuedrift.io.tables import VALUES
from valuedrift.report import ablation, figure

GOLDEN = Path(__file__).with_name("golden")
TOLERANCE = 2
"""Root mean square of the pixels' differences (0 to 255)."""
DPI = 80
CATEGORY = "Immigration Policies"
HEADINGS = [
    r"A long heading of a panel, $\frac{$ Llama3 3B from WildChat, support-aligned pairs",
    "Llama3 3B, support chosen",
    *"cdef",
]
SEEDS = ["m/a/b", "m/a/b-seed1", "m/a/b-seed2"]


def trajectories(points):
    """VALUES of {run: {step: mean or None}}; the stances differ by a little."""
    return VALUES.frame(
        [
            values_row(run, step, CATEGORY, stance, None if mean is None else mean - 0.1 * n)
            for run, steps in points.items() for step, mean in steps.items() for n, stance in enumerate(STANCES)
        ]
    )  # fmt: skip


def six_panels(world):
    """Three phases each, with flagged responses, an overlong heading and one that is not mathematics."""
    panels = [panel(run, heading) for run, heading in zip(PO, HEADINGS, strict=True)]
    return figure.draw(figure_job(*panels, category=CATEGORY), world.values_frame())


def four_columns(world):
    """Panels too narrow for `SFT training`."""
    panels = [panel(run, heading) for run, heading in zip(PO, HEADINGS, strict=False)][1:5]
    return figure.draw(figure_job(*panels, category=CATEGORY, columns=4), world.values_frame())


def seeds_and_gaps(world):
    """Seeds around their mean, a mean with a gap, an external run with isolated points, a base model alone."""
    many = {step: None if step in (100, 300) else 0.5 + step / 40000 for step in range(0, 5701, 100)}
    points = {"m/base": {0: 0.5}, "m/a": {0: 0.5, 10: 0.4}, "p": many}
    points |= {run: {0: 0.4, 1: 0.4 + 0.1 * n, 2: 0.4 + 0.2 * n} for n, run in enumerate(SEEDS)}
    points["m/a/b-seeds"] = points[SEEDS[1]]
    points["m/a/c"] = {0: 0.4, 1: 0.5, 2: None, 3: 0.7}
    sft = PhaseOfPanel(run="m/a", label="SFT")
    panels = [
        Panel(heading="three seeds", base="m/base", phases=[sft, PhaseOfPanel(run="m/a/b-seeds", seeds=SEEDS, label="DPO")]),
        Panel(heading="a gap", base="m/base", phases=[sft, PhaseOfPanel(run="m/a/c", label="PPO")]),
        Panel(heading="external", base="p", phases=[PhaseOfPanel(run="p", label="")]),
        Panel(heading="base model", base="m/base", phases=[]),
    ]
    return figure.draw(figure_job(*panels, category=CATEGORY), trajectories(points))


def ablation_of(grid, categories=(CATEGORY,), seeds=1):
    single = {value: [f"m/a/{value}-{seed}" for seed in range(seeds)] if seeds > 1 else [] for value in grid}
    middle = {value: 0.35 + 0.4 * n / len(grid) + 0.1 * (seeds - 1) / 2 for n, value in enumerate(grid)}
    ends = {f"m/a/{value}": {0: 0.3, 9: mean} for value, mean in middle.items()}
    ends |= {run: {0: 0.3, 9: middle[v] + 0.1 * s - 0.05} for v, found in single.items() for s, run in enumerate(found)}
    points = [AblationPoint(value=value, run=f"m/a/{value}", seeds=found) for value, found in single.items()]
    job = AblationJob(
        parameter="kl", categories=list(categories), points=points, parent="m/a", stance="support", judge=JUDGE, style=StyleConfig(),
    )  # fmt: skip
    return ablation.draw(job, trajectories({"m/a": {0: 0.2, 9: 0.3}} | ends))


def ablation_with_seeds(world):
    """Two seeds per point, logarithms with a 0 before them."""
    return ablation_of([0, 0.01, 0.1, 1], seeds=2)


def ablation_upright(world):
    """Three panels whose labels must stand upright."""
    return ablation_of([0.01, 0.05, 0.1, 0.2, 0.5, 1], [CATEGORY] * 3)


@pytest.mark.parametrize("draw", [six_panels, four_columns, seeds_and_gaps, ablation_with_seeds, ablation_upright])
def test_figure_is_legible_and_looks_like_the_golden_image(world, tmp_path, draw):
    drawn = draw(world)
    assert_legible(drawn)
    assert drawn.get_figwidth() <= StyleConfig().page_width
    drawn.savefig(tmp_path / "f.png", dpi=DPI)
    golden = GOLDEN / f"{draw.__name__}.png"
    if os.environ.get("UPDATE_GOLDEN"):
        GOLDEN.mkdir(exist_ok=True)
        shutil.copy(tmp_path / "f.png", golden)
    difference = compare_images(str(golden), str(tmp_path / "f.png"), TOLERANCE)
    assert difference is None, difference


def test_equal_inputs_give_equal_files_without_a_date(world, tmp_path):
    made = []
    for name in ("a", "b"):
        pdf, png = tmp_path / f"{name}.pdf", tmp_path / f"{name}.png"
        job = figure_job(panel("llama/alpaca"), category=CATEGORY)
        figure.run(config=job, values=world.values[:3], pdf=pdf, png=png)
        made.append((pdf.read_bytes(), png.read_bytes()))
    assert made[0] == made[1]
    assert made[0][0].startswith(b"%PDF") and b"CreationDate" not in made[0][0] and made[0][1].startswith(b"\x89PNG")
