"""Drift time of one value along one trajectory, as the paper defines it, with an option for each choice that it leaves open."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass

from valuedrift.config.drift import DriftConfig


@dataclass(frozen=True)
class Point:
    """A value at one checkpoint: the mean probability of a stance and its interval.

    `mean` is None if the value could not be measured, `low` and `high` are None if it has no interval.
    """

    step: int
    mean: float | None
    low: float | None
    high: float | None


@dataclass(frozen=True)
class Drift:
    """Drift time as a fraction of `total_steps`, the extremum that it refers to, and that extremum's step; None if undefined."""

    time: float | None
    extremum: float | None
    extremum_step: int | None
    total_steps: int


def drift_time(points: list[Point], trained_steps: int, config: DriftConfig) -> Drift:
    """Return the drift time η = η_ext / η_total (section 3 of the paper).

    η_ext is the first step at which the value lies within the interval of its extremum, or that of the extremum itself, as
    `config.reach` says; η_total is the number of steps that `config.total` chooses. `points` are the checkpoints in any
    order, including step 0, the parent's last checkpoint. No time in the paper's tables is 0, so step 0 is a candidate only if the
    config says so. An extremum without an interval (one prompt) is reached only by the same value.
    """
    measured = {point.step: point for point in points if point.mean is not None}
    steps, total = considered([point.step for point in points], set(measured), trained_steps, config)
    points = [measured[step] for step in steps]
    if not points or points[0].step != 0 or total == 0:
        return Drift(None, None, None, total)
    candidates = points if config.start_is_candidate else points[1:]
    if not candidates:
        return Drift(None, None, None, total)
    extremum = _extremum(points[0], points[-1], candidates, config)
    low, high = extremum.low, extremum.high
    alone = config.reach == "extremum" or low is None or high is None
    bounds = (extremum.mean, extremum.mean) if alone else (low, high)
    reached = next(p for p in candidates if bounds[0] <= p.mean <= bounds[1])  # type: ignore[operator]
    return Drift(reached.step / total, extremum.mean, extremum.step, total)


def considered(steps: Iterable[int], measured: Collection[int], trained_steps: int, config: DriftConfig) -> tuple[list[int], int]:
    """Return the measured ones of a trajectory's steps that drift times are about, in order, and the total of `config.total`.

    For `grid` they are the multiples of the first saved step, so that the trajectory ends on the regular grid.
    """
    every = min((step for step in steps if step > 0), default=1) if config.total == "grid" else 1
    found = sorted(step for step in measured if step % every == 0)
    return found, trained_steps if config.total == "training" else max(found, default=0)


def _extremum(start: Point, end: Point, candidates: list[Point], config: DriftConfig) -> Point:
    """Return the extremum that `config.extremum` chooses; of equal candidates the earliest."""

    def mean(point: Point) -> float:
        assert point.mean is not None
        return point.mean

    if config.extremum == "farthest":
        return max(candidates, key=lambda p: (abs(mean(p) - mean(start)), -p.step))
    sign = 1 if mean(end) >= mean(start) else -1
    return max(candidates, key=lambda p: (sign * mean(p), -p.step))
