"""What times of half and 90% of a change are worth, and what the paper's drift time says of a trajectory that does not drift."""

from collections.abc import Callable, Iterator

import numpy as np
from simulated import TAIL, Row, trajectories

from valuedrift.config.drift import DriftConfig
from valuedrift.drift.trajectory import Point, drift_time
from valuedrift.stats.crossings import crossings
from valuedrift.stats.shares import Floats, Sums, limits

LEVELS = {"half": 0.5, "ninety": 0.9}
START = 0.2
RESAMPLES = 300


def fast(time: Floats) -> Floats:
    """Half after 2.8% of the training, 90% after 9.2%: just before the first of 10 checkpoints."""
    return 1 - np.exp(-time / 0.04)


def slow(time: Floats) -> Floats:
    """As much in each step."""
    return time


def bump(time: Floats) -> Floats:
    """Up to a peak at 40% of the training, and half of the way back."""
    return np.where(time < 0.4, np.sin(np.pi * time / 0.8), 0.75 + 0.25 * np.cos(np.pi * (time - 0.4) / 0.6))


SHAPES: tuple[Callable[[Floats], Floats], ...] = (fast, slow, bump)
FINE = np.linspace(0, 1, 100_001)


def truth(change: Floats, at: Floats) -> Floats:
    """Return when each of LEVELS is reached on the line through `change` at the times `at`."""
    line = np.interp(FINE, at, change)
    return FINE[[int(np.argmax(line >= level * line.max())) for level in LEVELS.values()]]


def change_times(rng: np.random.Generator, draws: int) -> Iterator[Row]:
    """Yield bias and coverage, a row for each drift, number of checkpoints and of prompts, and level.

    covers line: sets before they are moved out to checkpoints, of the time on the line through the checkpoints' true values;
    covers: sets after that, of the true time, whose width is the last column.
    """
    for shape in SHAPES:
        for checkpoints in (10, 60):
            at = np.linspace(0, 1, checkpoints + 1)
            on_line, true = truth(shape(at), at), truth(shape(FINE), FINE)
            for prompts in (50, 500):
                weights = rng.multinomial(prompts, np.full(prompts, 1 / prompts), RESAMPLES).astype(float)
                for drift in (0.15, 0.4):
                    samples = (trajectories(rng, START + drift * shape(at), prompts) for _ in range(draws))
                    found = [crossings(sample, at, list(LEVELS.values()), "direction", weights, TAIL) for sample in samples]
                    estimates = np.array([[*one, *one.on_grid(at)] for pair in found for one in pair if one]).reshape(-1, 2, 6)
                    for number, level in enumerate(LEVELS):
                        time, low, high, _, grid_low, grid_high = estimates[:, number].T
                        line, wanted = on_line[number], true[number]
                        yield {
                            "drift": f"{shape.__name__} {drift:g}", "checkpoints": checkpoints, "prompts": prompts, "time": level,
                            "bias": float(time.mean() - wanted), "median bias": float(np.median(time) - wanted),
                            "covers line": float(((low <= line + 1e-5) & (line - 1e-5 <= high)).mean()),
                            "covers": float(((grid_low <= wanted) & (wanted <= grid_high)).mean()),
                            "width": float((grid_high - grid_low).mean()),
                        }  # fmt: skip


def printed_times(rng: np.random.Generator, draws: int) -> Iterator[Row]:
    """Yield the mean time by the paper's rule, and how often it is the first of 11 checkpoints, a row for each drift and number of
    prompts: of no drift, where every time is invented, and of a slow one, whose 90% are reached at .9."""
    at = np.linspace(0, 1, 12)
    for drift in (0.0, 0.1, 0.2, 0.4):
        for prompts in (10, 50, 200, 500):
            row: Row = {"slow drift": drift, "prompts": prompts}
            samples = [trajectories(rng, START + drift * at, prompts) for _ in range(draws)]
            for reach in ("interval", "extremum"):
                config = DriftConfig.model_validate({"reach": reach})
                times = [_time(sample, config) for sample in samples]
                row |= {
                    f"{reach}: mean": float(np.mean(times)),
                    f"{reach}: first": float(np.mean(np.array(times) <= 1 / 11 + 1e-9)),
                }
            yield row


def _time(sample: Floats, config: DriftConfig) -> float:
    low, high = limits(Sums.of(sample.T), TAIL)
    points = [Point(step, *map(float, row)) for step, row in enumerate(zip(sample.mean(0), low, high, strict=True))]
    found = drift_time(points, sample.shape[1] - 1, config).time
    assert found is not None
    return found
