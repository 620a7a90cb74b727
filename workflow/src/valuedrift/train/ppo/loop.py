"""The steps of a PPO training, which may be told to stop after any of them and goes on as if it had not been."""

from collections.abc import Iterator
from typing import Any

import torch
from transformers import set_seed

from valuedrift.config.algorithms import PpoConfig
from valuedrift.config.train import TrainingJob
from valuedrift.train.heldout import Heldout
from valuedrift.train.ppo.experience import Environment
from valuedrift.train.ppo.learner import Learner
from valuedrift.train.ppo.rollout import MINIBATCHES, PROMPTS, RESPONSES, stream
from valuedrift.train.preemption import Interrupted, Interruption
from valuedrift.train.trajectory import Workspace, checkpoint_steps

STATE = "ppo.pt"


class Training:
    """One training: its models, its place in the data and its log so far."""

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
        """Train to the end, from the workspace's state where it holds one; returns rows of TRAINING_LOG."""
        saved = checkpoint_steps(self.config.training.checkpoints, self.steps)
        with Interruption() as interruption:
            if space.state:
                # Mapped: else each process would read all weights and moments, of which it keeps its part, into memory.
                self.restore(torch.load(space.state / STATE, map_location="cpu", weights_only=True, mmap=True))
            else:
                self.log += self._heldout()
            while self.step < self.steps:
                self._take()
                if self.step in saved:
                    space.save(self.step, self.learner.policy, tokenizer)
                # After the last step there is nothing to go on with: the outputs are a matter of seconds.
                if self.step < self.steps:
                    self._keep(space, interruption)
            return self.log + self._heldout()

    def _take(self) -> None:
        """One batch of rollouts and the updates on it."""
        seed, learner = self.config.seed, self.learner
        set_seed((seed + self.step) % 2**32)  # for models that draw random numbers of their own: no generator goes into the state
        rate = learner.rate
        batch = list(self._batch(self.step))
        experience, means = self.environment.collect(
            learner.sampled(), learner.logprobs, learner.values, batch, (seed, RESPONSES, self.step)
        )
        means |= learner.update(experience, (seed, MINIBATCHES, self.step)) | {"learning_rate": rate}
        self.step += 1
        self.log += [{"run": self.config.run, "step": self.step, "metric": name, "value": mean} for name, mean in means.items()]

    def _batch(self, step: int) -> Iterator[list[int]]:
        """The prompts of a step: one pass over all after the other, each in an order of its own."""
        size, rows = self.config.training.batch_size, len(self.prompts)
        first, last = step * size, (step + 1) * size
        for epoch in range(first // rows, (last - 1) // rows + 1):
            order = stream(self.config.seed, PROMPTS, epoch).permutation(rows)
            yield from (self.prompts[i] for i in order[max(0, first - epoch * rows) : last - epoch * rows])

    def _heldout(self) -> list[dict[str, Any]]:
        return self.measure(self.learner.sampled(), self.learner.logprobs, self.step)

    def _keep(self, space: Workspace, interruption: Interruption) -> None:
        """Leave a state where one is due; raises Interrupted where the training was told to stop."""
        stop = interruption.requested
        if stop or interruption.due(self.config.save_minutes):
            state = self.state()
            space.keep(lambda folder: torch.save(state, folder / STATE))
        if stop:
            raise Interrupted(self.step, self.steps)

    def state(self) -> dict[str, Any]:
        """All that the next steps depend on. Random numbers and the place in the data follow from the step."""
        return {"step": self.step, "log": self.log, "learner": self.learner.state()}

    def restore(self, state: dict[str, Any]) -> None:
        """Put back what `state` told."""
        self.step, self.log = state["step"], state["log"]
        self.learner.restore(state["learner"])
