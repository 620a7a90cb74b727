"""Estimate what trainings need, from what the row of their algorithm says."""

import math

from valuedrift.config.algorithms import ALGORITHMS, Algorithm, PpoConfig
from valuedrift.config.train import TrainingConfig
from valuedrift.sizing.amount import ASSUMED, NOTHING, Amount
from valuedrift.sizing.base import PROCESS_GIB, Need, StudySizing
from valuedrift.sizing.gpu_memory import BYTES, CONTEXT_GIB, GIB, Shape, gib_on_gpu
from valuedrift.study.lineage import Run

SAMPLING_BATCH = 64
"""Responses that a GPU samples at once in the table's `sample`. Fewer take as long for a token: launching kernels bounds it."""
STATE_NUMBERS = 3
"""Numbers for each parameter in a training's state: the parameter and AdamW's two moments."""


def training(sizing: StudySizing, run: Run) -> Need:
    """Return the need of a run's training."""
    assert run.training
    return _training(sizing, run.algorithm, run, run.training, sizing.work.checkpoints(run))


def reward(sizing: StudySizing, name: str) -> Need:
    """Return the need of training a reward model."""
    return _training(sizing, "reward", sizing.study.rewards[name], sizing.config.training.of("reward"), Amount(1))


def base(sizing: StudySizing, run: Run) -> Need:
    """Return the need of linking and hashing a base model or external checkpoints, or of drawing a base model's weights."""
    shape, read = sizing.model_shape(run.model), sizing.work.checkpoints(run).value
    drawn = sizing.study.models[run.model].weights == "random"
    disk = sizing.weights(run.model) if drawn else NOTHING
    return Need(0, 1, PROCESS_GIB + 2 * shape.weights / GIB * drawn, sizing.start(read * shape.weights), disk)


def state_bytes(sizing: StudySizing, algorithm: str, run: Run, gpus: int) -> float:
    """Return the bytes of the state that a training saves to resume from, in float32 where several GPUs share it."""
    training = sizing.config.training.of("reward") if algorithm == "reward" else run.training
    if training and training.lora:
        return sizing.weights(run.model).value
    weights = sizing.parameters(run.model).value * BYTES["float32"] if gpus > 1 else sizing.weights(run.model).value
    return STATE_NUMBERS * weights * ALGORITHMS[algorithm].trained_models


def _training(sizing: StudySizing, algorithm: str, run: Run, training: TrainingConfig, saved: Amount) -> Need:
    row, shape, rank = ALGORITHMS[algorithm], sizing.model_shape(run.model), training.lora.rank if training.lora else None
    # With adapters a frozen reference is the policy without them.
    read = 0 if row.reference_passes and rank else row.references

    def gib(gpus: int) -> float:
        # A value model is trained as a whole.
        shared = shape.trained(gpus > 1, rank) + (row.trained_models - 1) * shape.trained(gpus > 1, None) + read * shape.weights
        share = _minibatch(training) / max(1, gpus)
        tokens = min(training.device_batch_size or share, share) * row.sequences * training.max_length
        own = shape.activations(tokens, training.gradient_checkpointing, gpus > 0, row.has_logits)
        # Each of several GPUs holds one model whole in bfloat16: PPO's policy, which it samples from, or the gathered reference.
        own += 2 * shape.parameters if gpus > 1 and not rank and row.references else 0
        # With adapters every GPU holds all: gradients and moments are small.
        return gib_on_gpu(0, shared + own, 1) if rank else gib_on_gpu(shared, own, max(1, gpus))

    gpus, lacking = sizing.fewest_gpus(gib, lambda n: _minibatch(training) % n == 0)
    models = row.trained_models + read
    host = max(1, gpus) * PROCESS_GIB + _loaded_bytes(row, shape, models, gpus) / GIB
    host += 3 * _table_gib(sizing, str(run.dataset)) + (0 if gpus else gib(0) - CONTEXT_GIB)
    seconds = sizing.start(models * shape.weights) + _seconds(sizing, row, run, training, gpus)
    disk = saved * sizing.weights(run.model)
    return Need(gpus, sizing.threads(shape.parameters, gpus), host, seconds, disk, lacking)


def _loaded_bytes(row: Algorithm, shape: Shape, models: int, gpus: int) -> float:
    """Return the bytes of weights in the host's memory at once, of all processes."""
    if row.trained_models == 1:
        return (max(1, gpus) * models + 1) * shape.weights
    # PPO: one model after another goes to the GPU, the policy with the copy that is sampled where GPUs share it.
    loading = max(1, gpus) * (2 if gpus > 1 else 1) * shape.weights
    state = row.trained_models * STATE_NUMBERS * shape.parameters * (BYTES["float32"] if gpus > 1 else shape.bytes)
    return max(loading, state)


def _seconds(sizing: StudySizing, row: Algorithm, run: Run, training: TrainingConfig, gpus: int) -> Amount:
    """Return the seconds of the training itself, without start-up."""
    rows, length = sizing.lengths.rows(str(run.dataset)), sizing.lengths.of(str(run.dataset))
    passed = rows * training.epochs

    def seconds(tokens: Amount, work: str) -> Amount:
        # On GPUs trainings compute in bfloat16, whatever type the weights are stored in.
        each = sizing.token_seconds(work, "bfloat16", sizing.parameters(run.model).value)
        return tokens * each * (1 / max(1, gpus))

    slower = 4 / 3 if training.gradient_checkpointing else 1.0
    if isinstance(training, PpoConfig):
        answer = Amount(min(length.answer.value, training.max_response), ASSUMED)
        tokens = passed * (length.prompt + answer)
        return (
            _sampling_seconds(sizing, run, training, gpus)
            + seconds(tokens * (row.trained_models + row.references), "read")
            + seconds(tokens * (row.trained_models * training.ppo_epochs * slower), "train")
        )
    whole = Amount(min(length.whole.value, training.max_length), ASSUMED) * row.sequences
    read = rows * whole * (row.reference_passes + row.extra_passes * training.epochs)
    return seconds(passed * whole * slower, "train") + seconds(read, "read")


def _sampling_seconds(sizing: StudySizing, run: Run, training: PpoConfig, gpus: int) -> Amount:
    """Return the seconds in which PPO samples its responses.

    A batch takes as long as its longest response, taken as twice the mean. On GPUs each token of it takes as long as one of 64
    responses, however few each GPU has, so that more GPUs sample no faster; `rollout_batch_size` makes several rounds of it.
    Without a GPU each token of each response takes its time.
    """
    dataset = str(run.dataset)
    longest = Amount(min(2 * sizing.lengths.of(dataset).answer.value, training.max_response), ASSUMED)
    share = training.batch_size / max(1, gpus)
    at_once = min(training.rollout_batch_size or share, share)
    rounds = sizing.lengths.rows(dataset) * (training.epochs * math.ceil(share / at_once) / training.batch_size)
    paid = max(at_once, SAMPLING_BATCH if gpus else 0)
    return rounds * longest * paid * sizing.token_seconds("sample", "bfloat16", sizing.parameters(run.model).value)


def _table_gib(sizing: StudySizing, dataset: str) -> float:
    """Return the size of a table in memory: four bytes a token."""
    return sizing.lengths.rows(dataset).value * sizing.lengths.of(dataset).whole.value * 4 / GIB


def _minibatch(training: TrainingConfig) -> int:
    """Return the rows that the GPUs share before each update."""
    return training.batch_size // (training.minibatches if isinstance(training, PpoConfig) else 1)
