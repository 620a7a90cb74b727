"""The runs of a study."""

import itertools
import re
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from valuedrift.config.algorithms import AlgorithmName
from valuedrift.config.base import Closed, Name, Seed


def _listed(value: Any) -> Any:
    return value if isinstance(value, list) else [value]


@dataclass(frozen=True)
class RunItem:
    """One run of a block: names of its parent and dataset, and the settings that distinguish it from the block's other runs."""

    parent: str
    algorithm: AlgorithmName
    data: str
    chosen: str | None
    seed: int
    set: dict[str, Any]
    label: str | None


class RunsConfig(Closed):
    """One block of runs: the product of its lists."""

    parent: str | list[str]
    """Run or runs that training starts from; `<model>/base` is a base model."""
    algorithm: AlgorithmName | list[AlgorithmName]
    """Algorithm of the training, or several of them."""
    data: Name | list[Name]
    """Name or names of datasets; the name of a mixture stands for all of its shares."""
    chosen: Literal["support", "oppose"] | list[Literal["support", "oppose"]] | None = None
    """Which answer of a synthetic pair is the chosen one; only for synthetic preferences and mixtures."""
    seeds: Annotated[list[Seed], Field(min_length=1)] | None = None
    """Seeds of the training; by default the study's `seeds`. The first one's run has the plain name, the others end in
    `-seed<n>`. A run descends from its parent under the same seed, where there is one. What tables and
    figures show of it is `<run>-seeds`, the mean over its seeds, whose intervals hold for other seeds and prompts."""
    set: dict[str, Any] = {}
    """Training keys that differ from `training:` for these runs."""
    sweep: dict[str, Annotated[list[Any], Field(min_length=1)]] = {}
    """Training keys with lists of values: one run for each, whose name ends in key and value, such as `-kl0.01`."""
    label: Name | None = None
    """Appended to the runs' names, to distinguish runs that differ only in `set`."""

    @model_validator(mode="after")
    def _no_empty_product(self) -> "RunsConfig":
        for key in ("parent", "algorithm", "data", "chosen"):
            if getattr(self, key) == []:
                raise ValueError(f"`{key}` is an empty list: name at least one")
        if both := self.set.keys() & self.sweep.keys():
            raise ValueError(f"`{min(both)}` is both in `set` and in `sweep`: give it in one of them")
        if self.seeds and len(set(self.seeds)) < len(self.seeds):
            raise ValueError("`seeds` has a seed twice: name each once")
        for key, values in self.sweep.items():
            if any(isinstance(value, dict | list) or not re.fullmatch(r"[\w.-]+", str(value), re.ASCII) for value in values):
                raise ValueError(
                    f"`sweep.{key}`: its values become names, so they must be numbers or words; for others give a block "
                    "with `set` and `label` for each"
                )
        return self

    def product(self, seeds: list[int]) -> list[RunItem]:
        """Return every run of the block, parents varying slowest; `seeds` are the study's."""
        axes = (_listed(self.parent), _listed(self.algorithm), _listed(self.data), _listed(self.chosen), self._variants())
        return [
            RunItem(parent, algorithm, data, chosen, seed, self.set | values, label)
            for parent, algorithm, data, chosen, (values, label) in itertools.product(*axes)
            for seed in (self.seeds or seeds)
        ]

    def _variants(self) -> list[tuple[dict[str, Any], str | None]]:
        """Return the swept values and the label of each combination."""
        chosen = [dict(zip(self.sweep, values, strict=True)) for values in itertools.product(*self.sweep.values())]
        return [(v, "-".join(filter(None, (self.label, *(f"{k}{v[k]}" for k in v)))) or None) for v in chosen]
