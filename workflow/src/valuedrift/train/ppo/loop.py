"""The steps of a PPO training, which can be stopped after any of them and resumed to the same result."""

from collections.abc import Iterator
from typing import Any

import torch
from transformers import set_seed

from valuedrift.config.algorithms import PpoConfig
from valuedrift.config.train import TrainingJob
from valuedrift.train.divergence import check_log, check_weights
from valuedrift.train.ppo.experience import Environment
from valuedrift.train.ppo.heldout import Heldout
from valuedrift.train.ppo.learner import Learner
from valuedrift.train.ppo.rollout import MINIBATCHES, PROMPTS, RESPONSES, stream
from valuedrift.train.preemption import Preempted
from valuedrift.train.trajectory import Workspace, checkpoint_steps

STATE = "ppo.pt"


class Training:
    """One training: its models, its current step and its log so far."""

    def __init__(
        self,
        config: TrainingJob[PpoConfig],
        prompts: list[list[int]],
        learner: Learner,
        environment: Environment,
        measure: Heldout,
        steps: int,
    ) -> None:
        self.config, self.prompts, self.learner, self.environment = config, prompts, learner, environment
        self.measure, self.steps = measure, steps
        self.step, self.log = 0, list[dict[str, Any]]()

    def run(self, space: Workspace, tokenizer: Any) -> list[dict[str, Any]]:
        """Train to the end, from the workspace's resume state if there is one; returns rows of TRAINING_LOG."""
        if space.log is not None:
            return space.log
        saved = checkpoint_steps(self.config.training.checkpoints, self.steps)
        space.preemption.begin()
        if space.state:
            # Memory-mapped: else each process would load all weights and moments, of which it keeps only its shard.
            self.restore(torch.load(space.state / STATE, map_location="cpu", weights_only=True, mmap=True))
        else:
            self.log += self._heldout()
        while self.step < self.steps:
            self._take()
            if self.step in saved:
                space.save(self.step, self.learner.policy, tokenizer)
            # None after the last step: the workspace keeps a state that needs no weights.
            if self.step < self.steps:
                self._keep(space)
        return self.log + self._heldout()

    def _take(self) -> None:
        """Collect one batch of rollouts and update on it."""
        seed, learner = self.config.seed, self.learner
        set_seed((seed + self.step) % 2**32)  # for models that draw random numbers themselves: the state holds no generator
        rate = learner.rate
        batch = list(self._batch(self.step))
        experience, means = self.environment.collect(
            learner.sampled(), learner.logprobs, learner.values, batch, (seed, RESPONSES, self.step)
        )
        means |= learner.update(experience, (seed, MINIBATCHES, self.step)) | {"learning_rate": rate}
        self.step += 1
        check_log(means, self.step)
        # At every step, since a policy that is not finite cannot be sampled, and a state of it could not be resumed.
        check_weights(self.step, learner.policy, learner.value)
        self.log += [{"run": self.config.run, "step": self.step, "metric": name, "value": mean} for name, mean in means.items()]

    def _batch(self, step: int) -> Iterator[list[int]]:
        """Yield the prompts of a step: pass after pass over all prompts, each pass in its own random order."""
        size, rows = self.config.training.batch_size, len(self.prompts)
        first, last = step * size, (step + 1) * size
        for epoch in range(first // rows, (last - 1) // rows + 1):
            order = stream(self.config.seed, PROMPTS, epoch).permutation(rows)
            yield from (self.prompts[i] for i in order[max(0, first - epoch * rows) : last - epoch * rows])

    def _heldout(self) -> list[dict[str, Any]]:
        return self.measure(self.learner.sampled(), self.learner.logprobs, self.step)

    def _keep(self, space: Workspace) -> None:
        """Save a resume state if one is due; raises Preempted if the training was asked to stop."""
        stop = space.preemption.requested
        if stop or space.preemption.due(self.config.save_minutes):
            state = self.state()
            space.keep(lambda folder: torch.save(state, folder / STATE))
        if stop:
            raise Preempted(self.step, self.steps)

    def state(self) -> dict[str, Any]:
        """Return all that the next steps depend on. Random numbers and the position in the data follow from the step."""
        return {"step": self.step, "log": self.log, "learner": self.learner.state()}

    def restore(self, state: dict[str, Any]) -> None:
        """Restore what `state` returned."""
        self.step, self.log = state["step"], state["log"]
        self.learner.restore(state["learner"])
