"""Drift of one value along one trajectory: the paper's two metrics, with each choice that it leaves open as an option."""

from dataclasses import dataclass

from valuedrift.config.drift import DriftConfig


@dataclass(frozen=True)
class Point:
    """A value at one checkpoint: the mean probability of a stance and its interval; None where it could not be measured."""

    step: int
    mean: float | None
    low: float | None
    high: float | None


@dataclass(frozen=True)
class Drift:
    """Drift time as a fraction of `total_steps`; the extremum that it refers to and the step where it lies."""

    time: float | None
    extremum: float | None
    extremum_step: int | None
    total_steps: int


def drift_time(points: list[Point], trained_steps: int, config: DriftConfig) -> Drift:
    """η = η_ext / η_total (section 3): the share of the steps it takes to come within the interval of the extremum.

    `points` are a trajectory's checkpoints, the start (the parent's last) among them. No time in the paper's tables is 0, so the
    start is no candidate unless the config says so. Without an interval (one prompt) only the extremum itself reaches the extremum.
    """
    if config.total == "grid":
        points = _on_grid(points)
    points = sorted((p for p in points if p.mean is not None), key=lambda p: p.step)
    last = max((p.step for p in points), default=0)
    total = trained_steps if config.total == "training" else last
    if not points or points[0].step != 0 or total == 0:
        return Drift(None, None, None, total)
    candidates = points if config.start_is_candidate else points[1:]
    if not candidates:
        return Drift(None, None, None, total)
    extremum = _extremum(points[0], points[-1], candidates, config)
    low, high = extremum.low, extremum.high
    bounds = (extremum.mean, extremum.mean) if low is None or high is None else (low, high)
    reached = next(p for p in candidates if bounds[0] <= p.mean <= bounds[1])  # type: ignore[operator]
    return Drift(reached.step / total, extremum.mean, extremum.step, total)


def _on_grid(points: list[Point]) -> list[Point]:
    """The trajectory without a checkpoint whose step is no multiple of the first saved one: it then ends at the last that is."""
    every = min((p.step for p in points if p.step > 0), default=1)
    return [p for p in points if p.step % every == 0]


def _extremum(start: Point, end: Point, candidates: list[Point], config: DriftConfig) -> Point:
    """The first of the extreme candidates."""

    def mean(point: Point) -> float:
        assert point.mean is not None
        return point.mean

    if config.extremum == "farthest":
        return max(candidates, key=lambda p: (abs(mean(p) - mean(start)), -p.step))
    sign = 1 if mean(end) >= mean(start) else -1
    return max(candidates, key=lambda p: (sign * mean(p), -p.step))
