"""The runs of a study, resolved from its config: which there are, and what each descends from."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from pydantic import ValidationError

from valuedrift.config.algorithms import ALGORITHMS
from valuedrift.config.explain import explain, nearest
from valuedrift.config.runs import RunItem
from valuedrift.config.study import StudyConfig
from valuedrift.config.train import TrainingConfig
from valuedrift.errors import UserError

RESERVED = {"base", "external", "trajectory", "final", "stances", "replicate"}
"""Names inside a run's folder, which its child runs share."""


@dataclass(frozen=True)
class Run:
    """One training run, a base model as it came, or checkpoints that somebody else trained."""

    id: str
    """`<model>/base`, `<name>/external`, `<model>/<sft>`, `<parent>/<algorithm>-<dataset>[-<chosen>][-<label>][-seed<n>]`: a name,
    never parsed."""
    model: str
    algorithm: str
    """One of ALGORITHMS, base or external."""
    seed: int
    parent: "Run | None" = None
    dataset: str | None = None
    chosen: str | None = None
    training: TrainingConfig | None = None
    label: str | None = None
    """Distinguishes it from runs that differ only in their settings."""
    plain: str = ""
    """Id of the same run under the first seed of its block in `runs`."""
    first_seed: int = 0
    """The first of the study's seeds, whose reward models have no seed in their names."""

    @property
    def phase(self) -> str:
        """base, external, sft or po (preference optimization)."""
        if self.algorithm not in ALGORITHMS:
            return self.algorithm
        return "po" if ALGORITHMS[self.algorithm].pairs else "sft"

    @property
    def method(self) -> str:
        """The name of its training in figures, such as "SimPO"; empty for a base model and for external checkpoints."""
        return self.training.variant or ALGORITHMS[self.algorithm].label if self.training else ""

    @property
    def needs_reward(self) -> bool:
        """True if a reward model is trained for the run first."""
        return self.algorithm in ALGORITHMS and ALGORITHMS[self.algorithm].needs_reward

    @property
    def lineage(self) -> list["Run"]:
        """From the base model to this run."""
        return [*self.parent.lineage, self] if self.parent else [self]

    @property
    def reward(self) -> str:
        """Id of the run's reward model: one for each parent, preference set, chosen side and seed."""
        assert self.parent and self.dataset
        seed = None if self.seed == self.first_seed else f"seed{self.seed}"
        return f"{self.parent.id}/{'-'.join(filter(None, (self.dataset, self.chosen, seed)))}"


def known(key: str, kind: str, name: str, names: Iterable[str]) -> None:
    """Raise UserError, with the nearest of the names, if `name` is not among `names`."""
    if name not in set(names):
        raise UserError(f"config: `{key}`: unknown {kind} `{name}`{nearest(name, names)}")


def resolve(config: StudyConfig) -> dict[str, Run]:
    """Return every run by id, parents first; the blocks of `runs` can be in any order."""
    return _Resolver(config).runs


class _Resolver:
    def __init__(self, config: StudyConfig) -> None:
        self.config = config
        for name in (*config.datasets, *config.mixtures):
            if name in RESERVED:
                raise UserError(f"config: `datasets.{name}`: this name is taken by a folder inside every run; choose another")
        mixed = Counter(name for key, mixture in config.mixtures.items() for name in {key, *mixture.names(key)})
        mixed.update(config.datasets.keys())
        twice = [name for name, count in mixed.items() if count > 1] + sorted(config.models.keys() & config.external.keys())
        if twice:
            raise UserError(f"config: the name `{twice[0]}` is given twice; choose another for one of the two")
        self.runs: dict[str, Run] = {}
        self.origin: dict[str, str] = {}
        self.mixtures = {name: mixture.names(name) for name, mixture in config.mixtures.items()}
        seed = config.all_seeds[0]
        for kind, names in (("base", config.models), ("external", config.external)):
            for name in names:
                self._add(Run(f"{name}/{kind}", name, kind, seed, plain=f"{name}/{kind}"), "models" if kind == "base" else kind)
        self._add_blocks()
        for pooled in {f"{run.plain}-seeds" for run in self.runs.values() if run.id != run.plain} & self.runs.keys():
            key, plain = self.origin[pooled], pooled.removesuffix("-seeds")
            raise UserError(
                f"config: `{key}` makes the run `{pooled}`, as which the seeds of `{plain}` are pooled; choose another name"
            )

    def _add(self, run: Run, key: str) -> None:
        if run.id in self.runs:
            raise UserError(
                f"config: `{key}` makes the run `{run.id}`, which `{self.origin[run.id]}` makes too; give one a `label`"
            )
        self.runs[run.id], self.origin[run.id] = run, key

    def _add_blocks(self) -> None:
        waiting = [
            (f"runs.{number}", block.seeds or self.config.all_seeds, item)
            for number, block in enumerate(self.config.runs)
            for item in block.product(self.config.all_seeds)
        ]
        while waiting:
            ready = [entry for entry in waiting if entry[2].parent in self.runs]
            if not ready:
                key, _, item = waiting[0]
                known(f"{key}.parent", "run", item.parent, self.runs)
            for key, seeds, item in ready:
                for dataset in self.mixtures.get(item.data, {item.data: 0.0}):
                    self._add(self._run(key, seeds[0], item, dataset), key)
            waiting = [entry for entry in waiting if entry not in ready]

    def _run(self, key: str, first_seed: int, item: RunItem, dataset: str) -> Run:
        self._check_fit(key, item, dataset)
        named = self.runs[item.parent]
        parent = next((r for r in self.runs.values() if r.plain == named.id and r.seed == item.seed), named)
        slug = "-".join(
            filter(None, (item.algorithm if ALGORITHMS[item.algorithm].pairs else None, dataset, item.chosen, item.label))
        )
        suffix = "" if item.seed == first_seed else f"-seed{item.seed}"
        return Run(
            f"{_prefix(parent)}/{slug}{suffix}", parent.model, item.algorithm, item.seed, parent, dataset, item.chosen,
            self._training(key, item), item.label, plain=f"{_prefix(named)}/{slug}",
            first_seed=self.config.all_seeds[0],
        )  # fmt: skip

    def _check_fit(self, key: str, item: RunItem, name: str) -> None:
        mixture = item.data in self.mixtures
        if not mixture:
            known(f"{key}.data", "dataset", name, {*self.config.datasets, *self.mixtures})
        dataset = None if mixture else self.config.datasets[name]
        preference, form = (mixture or dataset.is_preference, "mixture" if mixture else dataset.format)  # type: ignore[union-attr]
        if preference != ALGORITHMS[item.algorithm].pairs:
            kind = "preference pairs" if preference else "an SFT set"
            raise UserError(f"config: `{key}.data`: {item.algorithm} cannot train on `{name}`, which is {kind} ({form})")
        if (form in ("synthetic", "mixture")) != (item.chosen is not None):
            wants = (
                "needs `chosen: support` or `chosen: oppose`"
                if item.chosen is None
                else "takes no `chosen`: its pairs are labelled"
            )
            raise UserError(f"config: `{key}`: the dataset `{name}` ({form}) {wants}")

    def _training(self, key: str, item: RunItem) -> TrainingConfig:
        base = self.config.training.of(item.algorithm)
        try:
            return type(base).model_validate(base.model_dump() | item.set)
        except ValidationError as error:
            raise UserError(explain(error, type(base), prefix=f"{key}.set.")) from None


def _prefix(parent: Run) -> str:
    return parent.model if parent.algorithm == "base" else parent.id
