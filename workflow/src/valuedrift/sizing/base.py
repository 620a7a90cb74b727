"""Share what all needs are computed from: model sizes, speeds, counts, and what fits on a GPU."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from valuedrift.sizing.amount import ASSUMED, NOTHING, Amount
from valuedrift.sizing.counts import Workload
from valuedrift.sizing.gpu_memory import BYTES, GIB, Shape, gib_on_gpu
from valuedrift.sizing.parameters import VOCABULARY, in_folder, in_name, of_tiny, vocabulary
from valuedrift.sizing.throughput import Speeds
from valuedrift.sizing.token_counts import Lengths
from valuedrift.study.study import Study

IMPORT_SECONDS, LOAD_BYTES_PER_SECOND, PROCESS_GIB = 6.0, 0.5 * GIB, 2.0
"""What a process that imports torch takes before it works, how fast it loads weights, and its memory without them: on the miniature
SFT and PPO took 0.6 and 0.7 GiB, the Snakemake that starts them 0.2; CUDA's libraries come on top."""
ONE_CORE_PARAMETERS = 50e6
"""Parameters below which one core is as fast as many: two threads took the miniature 12 times as long when both cores were busy."""
MINIMUM_MINUTES, TIME_LIMIT_FACTOR = 20, 2
"""A job's time limit: this many minutes, and this many times the expected time."""


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
    """Size of what it leaves behind."""
    lacking_gib: float = 0.0
    """Memory that each GPU lacks; 0 where the job fits."""

    def megabytes(self, attempt: int, limit: float = math.inf) -> int:
        """Return the memory to request (MiB): once more of it with each attempt, up to the limit of the partition.

        A first attempt above the limit is requested as it is: such a job fits nowhere, and is reported before the run.
        """
        first = math.ceil(self.memory_gib * 1024)
        return int(min(attempt * first, max(first, limit)))

    def minutes(self, attempt: int) -> int:
        """Return the time limit to request, which grows in the same way."""
        return attempt * (MINIMUM_MINUTES + math.ceil(TIME_LIMIT_FACTOR * self.seconds.value / 60))


def small_step(seconds: float = 1.0) -> Need:
    """Return the need of a step on tables that runs on one core and imports no torch."""
    return Need(0, 1, 1.0, Amount(seconds, ASSUMED))


class StudySizing:
    """Model sizes, counts and speeds of one study; `gpus` limits what a job gets below what the config says."""

    def __init__(self, study: Study, gpus: int | None = None) -> None:
        self.study, self.config, self.cluster = study, study.config, study.config.cluster
        self.most_gpus = self.cluster.most if gpus is None else min(gpus, self.cluster.most)
        self.work, self.speeds = Workload(study), Speeds(self.cluster.speeds)
        self.speeds.check({"cpu", self.cluster.device})
        self.lengths, self.size = Lengths(self.work), cache(self._size)

    def parameters(self, model: str) -> Amount:
        """Return the parameters of a model of the study: counted in its files, given by the config, or guessed."""
        block = self.study.models[model]
        return self.size(block.path, block.revision, block.parameters)

    def _size(self, path: str, revision: str | None, given: float | None) -> Amount:
        folder, world = self.study.model_at(path, revision), self.config.miniature
        if counted := in_folder(Path(folder)):
            return counted
        if given:
            return Amount(given)
        if world and self.study.is_made(folder):
            return of_tiny(world.judge if Path(folder).name == "judge" else world.base, world.vocabulary)
        return in_name(path)

    def shape(self, path: str, revision: str | None, dtype: str, given: float | None = None) -> Shape:
        """Return the shape of the model at a path of the config; `given` are the parameters that the config gives it."""
        folder = Path(self.study.model_at(path, revision))
        tokens = self.config.miniature.vocabulary if self.config.miniature else vocabulary(folder) or VOCABULARY
        return Shape(self.size(path, revision, given).value, BYTES[dtype], tokens)

    def model_shape(self, model: str) -> Shape:
        """Return the shape of a model of the study."""
        block = self.study.models[model]
        return self.shape(block.path, block.revision, block.dtype, block.parameters)

    def weights(self, model: str) -> Amount:
        """Return the bytes of a model's weights."""
        return self.parameters(model) * BYTES[self.study.models[model].dtype]

    def fewest_gpus(self, gib: Callable[[int], float], divides: Callable[[int], bool]) -> tuple[int, float]:
        """Return the smallest power of two of GPUs that fit, and the GiB that each lacks where not even the most do.

        `gib(n)` is the memory on each of n GPUs; `divides(n)` says whether they can share a batch equally.
        """
        if not self.most_gpus:
            return 0, 0.0
        counts = [2**i for i in range(self.most_gpus.bit_length()) if divides(2**i)]
        fitting = next((n for n in counts if gib(n) <= self.cluster.gpu_memory), None)
        return (fitting, 0.0) if fitting else (counts[-1], gib(counts[-1]) - self.cluster.gpu_memory)

    def engine_gpus(self, shape: Shape, gpus: int, tokens: float) -> tuple[int, float]:
        """Return the GPUs of a model that only reads and samples, and the GiB that each lacks; `tokens` are in its cache."""
        if not self.most_gpus:
            return 0, 0.0
        lacking = gib_on_gpu(shape.weights, shape.cache(tokens), gpus) - self.cluster.gpu_memory
        if gpus > self.most_gpus:
            return self.most_gpus, max(lacking, gib_on_gpu(shape.weights, 0, self.most_gpus) - self.cluster.gpu_memory, 0.0)
        return gpus, max(0.0, lacking)

    def engine_need(self, shape: Shape, gpus: int, lacking: float, seconds: Amount, disk: Amount) -> Need:
        """Return the need of a model that only reads and samples.

        Without a GPU the cache is small next to the weights, of which two copies may exist while they are loaded.
        """
        memory = max(1, gpus) * PROCESS_GIB + (1 if gpus else 2) * shape.weights / GIB
        return Need(gpus, self.threads(shape.parameters, gpus), memory, seconds, disk, lacking)

    def threads(self, parameters: float, gpus: int) -> int:
        """Return the cores of a job that runs a model of this size."""
        return max(1, gpus) * (self.cluster.cpus_per_gpu if parameters >= ONE_CORE_PARAMETERS else 1)

    def start(self, weights: float) -> Amount:
        """Return the seconds of imports and of loading this many bytes of weights."""
        return Amount(IMPORT_SECONDS + weights / LOAD_BYTES_PER_SECOND, ASSUMED)

    def token_seconds(self, work: str, dtype: str, parameters: float) -> Amount:
        """Return the seconds that one token takes on one of the study's devices."""
        return self.speeds.seconds_per_token(self.cluster.device, work, dtype, parameters)
