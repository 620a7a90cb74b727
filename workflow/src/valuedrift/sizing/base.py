"""What all needs are made from: models, speeds, and what fits a machine."""

import math
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from valuedrift.sizing.counts import ASSUMED, NOTHING, Amount, Workload
from valuedrift.sizing.gpu_memory import BYTES, GIB, Shape, on_gpu
from valuedrift.sizing.parameters import in_folder, in_name, of_tiny, vocabulary
from valuedrift.sizing.throughput import Speeds
from valuedrift.sizing.token_counts import Lengths
from valuedrift.study.study import Study

IMPORTS, LOADED, PROCESS_GIB = 6.0, 0.5 * GIB, 2.0
"""Seconds, bytes a second, and GiB of a process beside its weights: on the miniature SFT and PPO took 0.6 and 0.7, the Snakemake
that starts them 0.2; CUDA's libraries come on top."""
SMALL = 50e6
"""Weights below which one core is as fast as many: two threads took the miniature 12 times as long when both cores were busy."""
FLOOR_MINUTES, LATE = 20, 2
"""A job's time limit: so many minutes, and so many times as long as is expected."""
TEXTS = Amount(10_000, ASSUMED)
"""Raw prompts where none are there yet; PRISM has 8,011 conversations."""


@dataclass(frozen=True)
class Need:
    """What one job needs."""

    gpus: int
    threads: int
    memory_gib: float
    """Of the host."""
    seconds: Amount
    """Expected wall time on those GPUs."""
    disk_bytes: Amount = NOTHING
    """What it leaves behind."""
    lacking_gib: float = 0.0
    """What each GPU lacks; 0 where the job fits."""

    def megabytes(self, attempt: int, most: float = math.inf) -> int:
        """Memory to ask for (MiB); an attempt that ran out of it is followed by one with as much again, but for no more than `most`
        because of that."""
        first = math.ceil(self.memory_gib * 1024)
        return int(min(attempt * first, max(first, most)))

    def minutes(self, attempt: int) -> int:
        """Time to ask for, which grows likewise."""
        return attempt * (FLOOR_MINUTES + math.ceil(LATE * self.seconds.value / 60))


class StudyNeeds:
    """Of one study; `gpus` is the most that a job gets, by default as the config says."""

    def __init__(self, study: Study, gpus: int | None = None) -> None:
        self.study, self.config, self.cluster = study, study.config, study.config.cluster
        self.most = self.cluster.most if gpus is None else min(gpus, self.cluster.most)
        self.work, self.speeds = Workload(study), Speeds(self.cluster.speeds)
        self.speeds.check({"cpu", self.cluster.device})
        self.lengths, self.size = Lengths(self.work), cache(self._size)
        self._known: dict[Hashable, Need] = {}

    def parameters(self, model: str) -> Amount:
        """Weights of a model of the study: counted in its files, told by the config, or guessed."""
        block = self.study.models[model]
        return self.size(block.path, block.revision, block.parameters)

    def _size(self, path: str, revision: str | None, told: float | None) -> Amount:
        folder, world = self.study.model_at(path, revision), self.config.miniature
        if counted := in_folder(Path(folder)):
            return counted
        if told:
            return Amount(told)
        if world and self.study.is_made(folder):
            return of_tiny(world.judge if Path(folder).name == "judge" else world.base, world.vocabulary)
        return in_name(path)

    def shape(self, path: str, revision: str | None, dtype: str, told: float | None = None) -> Shape:
        words = self.config.miniature.vocabulary if self.config.miniature else vocabulary(Path(self.study.model_at(path, revision)))
        return Shape(self.size(path, revision, told).value, BYTES[dtype], words)

    def of_model(self, model: str) -> Shape:
        block = self.study.models[model]
        return self.shape(block.path, block.revision, block.dtype, block.parameters)

    def weights(self, model: str) -> Amount:
        return self.parameters(model) * BYTES[self.study.models[model].dtype]

    def fewest(self, held: Callable[[int], float], whole: Callable[[int], bool]) -> tuple[int, float]:
        """The fewest GPUs on which what is held fits, and what is lacking on the most."""
        if not self.most:
            return 0, 0.0
        counts = [2**i for i in range(self.most.bit_length()) if whole(2**i)]
        fitting = next((n for n in counts if held(n) <= self.cluster.gpu_memory), None)
        return (fitting, 0.0) if fitting else (counts[-1], held(counts[-1]) - self.cluster.gpu_memory)

    def engine(self, shape: Shape, gpus: int, tokens: float) -> tuple[int, float]:
        """GPUs of what only reads and samples, and what each lacks."""
        if not self.most:
            return 0, 0.0
        lacking = on_gpu(shape.weights, shape.cache(tokens), gpus) - self.cluster.gpu_memory
        if gpus > self.most:
            return self.most, max(lacking, on_gpu(shape.weights, 0, self.most) - self.cluster.gpu_memory, 0.0)
        return gpus, max(0.0, lacking)

    def reading(self, shape: Shape, gpus: int, lacking: float, seconds: Amount, disk: Amount) -> Need:
        """Without a GPU the cache is small beside the weights, of which two copies may be there while they are loaded."""
        memory = max(1, gpus) * PROCESS_GIB + (1 if gpus else 2) * shape.weights / GIB
        return Need(gpus, self.threads(shape.parameters, gpus), memory, seconds, disk, lacking)

    def threads(self, parameters: float, gpus: int) -> int:
        return max(1, gpus) * (self.cluster.cpus_per_gpu if parameters >= SMALL else 1)

    def start(self, weights: float) -> Amount:
        return Amount(IMPORTS + weights / LOADED, ASSUMED)

    def token(self, work: str, dtype: str, parameters: float) -> Amount:
        return self.speeds.seconds_per_token(self.cluster.device, work, dtype, parameters)

    def once(self, key: Hashable, make: Callable[[], Need]) -> Need:
        if key not in self._known:
            self._known[key] = make()
        return self._known[key]
