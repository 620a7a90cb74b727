"""Needs of trainings."""

import math
from collections.abc import Iterable

from valuedrift.config.algorithms import PpoConfig
from valuedrift.config.train import TrainingConfig
from valuedrift.sizing.base import PROCESS_GIB, Need, StudyNeeds
from valuedrift.sizing.counts import ASSUMED, NOTHING, Amount
from valuedrift.sizing.gpu_memory import BYTES, CONTEXT_GIB, GIB, Shape, on_gpu
from valuedrift.study.lineage import Run

READ, PAIRS = {"dpo": 1, "ppo": 2}, {"reward", "dpo", "simpo"}
"""Models that an algorithm reads beside those that it trains, and the algorithms whose rows are two sequences."""
AT_ONCE = 64
"""Responses at once in the table's `sample` of a GPU, which takes as long for a token of fewer: launching kernels bounds it."""
STATE = 6
"""Numbers for each weight in PPO's state, which one process gathers: weight and AdamW's moments, of policy and value model."""


class TrainingNeeds(StudyNeeds):
    def training(self, run: Run) -> Need:
        """Training of a run."""
        assert run.training
        training = run.training
        return self.once(("training", run.id), lambda: self._training(run.algorithm, run, training, self.work.checkpoints(run)))

    def reward(self, name: str) -> Need:
        """Training of a reward model."""
        run = self.study.rewards[name]
        return self.once(("reward", name), lambda: self._training("reward", run, self.config.training.of("reward"), Amount(1)))

    def lacking(self, runs: Iterable[Run], rewards: Iterable[str]) -> list[str]:
        """What to do about trainings that do not fit the GPUs, a line for each kind of them."""
        needs = [(str(run.algorithm), run.id, self.training(run), run.training) for run in runs]
        reward = self.config.training.of("reward")
        needs += [("reward", f"the reward model {name}", self.reward(name), reward) for name in rewards]
        worst = {one[0]: one for one in sorted(needs, key=lambda one: one[2].lacking_gib) if one[2].lacking_gib}
        return [
            f"{name} lacks about {need.lacking_gib:.0f} GiB on each of {need.gpus} GPUs, the most of its kind: "
            + " or ".join([*_smaller(kind, training), "give `cluster` larger or more GPUs"])
            for kind, name, need, training in worst.values()
        ]

    def _training(self, algorithm: str, run: Run, training: TrainingConfig, saved: Amount) -> Need:
        shape, rank = self.of_model(run.model), training.lora.rank if training.lora else None
        read = 0 if algorithm == "dpo" and rank else READ.get(algorithm, 0)
        sequences = 2 if algorithm in PAIRS else 1

        def held(gpus: int) -> float:
            shared = shape.trained(gpus > 1, rank) + read * shape.weights
            # PPO's value model is trained as a whole.
            shared += shape.trained(gpus > 1, None) if algorithm == "ppo" else 0
            share = _minibatch(training) / max(1, gpus)
            tokens = min(training.device_batch_size or share, share) * sequences * training.max_length
            own = shape.activations(tokens, training.gradient_checkpointing, gpus > 0, logits=algorithm != "reward")
            # PPO samples from a whole copy of the policy, and DPO's reference is gathered whole, each in bfloat16.
            own += 2 * shape.parameters if gpus > 1 and not rank and algorithm in READ else 0
            # With adapters every GPU holds all: gradients and moments are small.
            return on_gpu(0, shared + own, 1) if rank else on_gpu(shared, own, max(1, gpus))

        gpus, lacking = self.fewest(held, lambda n: _minibatch(training) % n == 0)
        models = 1 + read + (algorithm == "ppo")
        host = max(1, gpus) * PROCESS_GIB + self._loaded(algorithm, shape, models, gpus) / GIB
        host += 3 * self._table_gib(str(run.dataset)) + (0 if gpus else held(0) - CONTEXT_GIB)
        seconds = self.start(models * shape.weights) + self._trained(algorithm, run, training, gpus)
        return Need(gpus, self.threads(shape.parameters, gpus), host, seconds, saved * self.weights(run.model), lacking)

    def _loaded(self, algorithm: str, shape: Shape, models: int, gpus: int) -> float:
        """Bytes of weights in the host's memory at once, of all processes."""
        if algorithm != "ppo":
            return (max(1, gpus) * models + 1) * shape.weights
        # One model after another goes to the GPU, the policy with the copy that is sampled where GPUs share it.
        loading = max(1, gpus) * (2 if gpus > 1 else 1) * shape.weights
        return max(loading, STATE * shape.parameters * (BYTES["float32"] if gpus > 1 else shape.bytes))

    def _trained(self, algorithm: str, run: Run, training: TrainingConfig, gpus: int) -> Amount:
        """Seconds of the training itself.

        PPO samples a batch as long as its longest response, taken as twice the mean. On GPUs each token of it takes as long as one
        of 64 responses, however few each GPU has, so that more GPUs sample no faster; `rollout_batch_size` makes several rounds of
        it. Without a GPU each token of each response takes its time.
        """
        rows, length = self.lengths.rows(str(run.dataset)), self.lengths.of(str(run.dataset))
        passed, parameters = rows * training.epochs, self.parameters(run.model).value

        def took(tokens: Amount, work: str) -> Amount:
            # On GPUs trainings compute in bfloat16, whatever the weights are kept in.
            return tokens * self.token(work, "bfloat16", parameters) * (1 / max(1, gpus))

        slower = 4 / 3 if training.gradient_checkpointing else 1.0
        if isinstance(training, PpoConfig):
            longest, answer = (Amount(min(n * length.answer.value, training.max_response), ASSUMED) for n in (2, 1))
            whole, share = length.prompt + answer, training.batch_size / max(1, gpus)
            at_once = min(training.rollout_batch_size or share, share)
            rounds = passed * (math.ceil(share / at_once) / training.batch_size)
            paid = max(at_once, AT_ONCE if gpus else 0)
            return (
                rounds * longest * paid * self.token("sample", "bfloat16", parameters)
                + took(passed * whole * 4, "read")
                + took(passed * whole * (2 * training.ppo_epochs * slower), "train")
            )
        whole = Amount(min(length.whole.value, training.max_length), ASSUMED) * (2 if algorithm in PAIRS else 1)
        reference = took(rows * whole, "read") if algorithm == "dpo" else NOTHING
        return took(passed * whole * slower, "train") + reference

    def _table_gib(self, dataset: str) -> float:
        """A table in memory: four bytes a token."""
        return self.lengths.rows(dataset).value * self.lengths.of(dataset).whole.value * 4 / GIB


def _smaller(kind: str, training: TrainingConfig | None) -> list[str]:
    """What makes a training smaller and is not set yet."""
    assert training
    rows = [] if training.device_batch_size == 1 else [f"set `training.{kind}.device_batch_size: 1`"]
    return rows + ([] if training.gradient_checkpointing else [f"set `training.{kind}.gradient_checkpointing: true`"])


def _minibatch(training: TrainingConfig) -> int:
    """Rows that the GPUs share before each update."""
    return training.batch_size // (training.minibatches if isinstance(training, PpoConfig) else 1)
