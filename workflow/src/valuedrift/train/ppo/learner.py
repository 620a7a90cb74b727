"""PPO's updates of the policy and its value model."""

import math
from typing import Any

import torch
from torch.distributed.tensor import DTensor
from transformers import get_scheduler

from valuedrift.config.algorithms import PpoConfig
from valuedrift.train import processes
from valuedrift.train.fsdp import SamplingCopy, full_state, shard_like
from valuedrift.train.ppo.experience import Experience
from valuedrift.train.ppo.loss import policy_losses, value_losses
from valuedrift.train.ppo.rollout import micro_batches, stream
from valuedrift.train.ppo.rollout_batch import RolloutBatch, autocast, token_logprobs, token_values


class Learner:
    """The policy, its value model and their optimizer.

    The weights have the dtype of the model's config; on a GPU forward and backward passes compute in bfloat16, as in the other
    trainings. Dropout is off, so a token's ratio is 1 until the policy has changed.
    """

    def __init__(self, policy: Any, value: Any, sampler: SamplingCopy, training: PpoConfig, steps: int) -> None:
        self.policy, self.value, self.sampler, self.training = policy, value, sampler, training
        self.device = policy.device
        for model in (policy, value):
            _without_dropout(model)
            if training.gradient_checkpointing:
                model.gradient_checkpointing_enable(gradient_checkpointing_kwargs={"use_reentrant": False})
            model.train()
        self.optimizer = torch.optim.AdamW(
            [group for model in (policy, value) for group in _groups(model, training.weight_decay)], lr=training.learning_rate
        )
        schedule = "constant_with_warmup" if training.schedule == "constant" else training.schedule
        self.scheduler = get_scheduler(schedule, self.optimizer, math.ceil(steps * training.warmup), steps)

    @property
    def rate(self) -> float:
        """Learning rate of the next step."""
        rate: float = self.scheduler.get_last_lr()[0]
        return rate

    def sampled(self) -> Any:
        """Return the policy as a model that can be sampled; all processes must call this."""
        return self.sampler.of(self.policy)

    def logprobs(self, batch: RolloutBatch) -> torch.Tensor:
        """Return the policy's log probability of each response token."""
        with autocast(self.device):
            return token_logprobs(self.policy, batch, self.training.temperature)

    def values(self, batch: RolloutBatch) -> torch.Tensor:
        """Return the value of the state before each response token."""
        with autocast(self.device):
            return token_values(self.value, batch)

    def update(self, experience: Experience, key: tuple[int, ...]) -> dict[str, float]:
        """Take the optimizer steps of one batch of rollouts, in minibatches drawn from the stream of (*key, pass).

        Returns means over the optimizer steps: both losses and the shares of tokens whose loss was clipped.
        """
        updates = []
        for epoch in range(self.training.ppo_epochs):
            order = stream(*key, epoch).permutation(len(experience.rollouts)).tolist()
            size = len(order) // self.training.minibatches
            updates += [self._minibatch(experience, order[start : start + size]) for start in range(0, len(order), size)]
        self.scheduler.step()
        sums = torch.stack(updates).mean(0)
        names = ("policy_loss", "value_loss", "policy_clipped", "value_clipped")
        return dict(zip(names, _summed(sums).tolist(), strict=True))

    def _minibatch(self, experience: Experience, rows: list[int]) -> torch.Tensor:
        """Take one optimizer step; returns this process's part of the means.

        Every loss is divided by the tokens of the whole minibatch, so neither the rows that a device holds at once nor the number
        of processes change the gradient.
        """
        tokens = experience.mask[rows].sum()
        means = torch.zeros(4, device=self.device)
        for part in micro_batches(experience.rollouts, rows, self.training.device_batch_size or len(rows)):
            policy, value, shares_clipped = self._losses(experience, part)
            # FSDP averages over the processes, each of which has a part of the sum.
            scale = processes.count() if processes.strategy() else 1
            (scale * (policy + self.training.value_weight * value) / tokens).backward()  # type: ignore[no-untyped-call]
            means += torch.stack([policy.detach(), value.detach(), *shares_clipped]) / tokens
        for model in (self.policy, self.value):
            trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
            _sum_gradients(trained)
            # Each model by itself: large gradients of the value model must not shrink the policy's step.
            torch.nn.utils.clip_grad_norm_(trained, self.training.max_grad_norm)
        self.optimizer.step()
        self.optimizer.zero_grad()
        return means

    def _losses(self, experience: Experience, rows: list[int]) -> tuple[torch.Tensor, torch.Tensor, list[torch.Tensor]]:
        """Return sums over the tokens of these rows: the policy's loss, the value's loss, and the tokens that each clipped."""
        training, batch = self.training, experience.rollouts.batch(rows, self.device)
        width = batch.mask.shape[1]

        def of(numbers: torch.Tensor) -> torch.Tensor:
            return numbers[rows, :width]

        policy, policy_clipped = policy_losses(
            self.logprobs(batch), of(experience.logprobs), of(experience.advantages), training.clip
        )
        value, value_clipped = value_losses(self.values(batch), of(experience.values), of(experience.returns), training.value_clip)
        sums = [(numbers * batch.mask).sum() for numbers in (policy, value, policy_clipped, value_clipped)]
        return sums[0], sums[1], sums[2:]

    def state(self) -> dict[str, Any]:
        """Return all that training changes, unsharded on the main process; all processes must call this."""
        models = {name: _trained(model) for name, model in (("policy", self.policy), ("value", self.value))}
        state: dict[str, Any] = full_state(
            {**models, "optimizer": self.optimizer.state_dict(), "scheduler": self.scheduler.state_dict()}
        )
        return state

    def restore(self, state: dict[str, Any]) -> None:
        """Restore what `state` returned."""
        with torch.no_grad():
            for name, model in (("policy", self.policy), ("value", self.value)):
                for key, parameter in _trained(model).items():
                    parameter.copy_(shard_like(state[name][key], parameter))
        parameters = [parameter for group in self.optimizer.param_groups for parameter in group["params"]]
        for index, moments in state["optimizer"]["state"].items():
            moments |= {name: shard_like(moments[name], parameters[index]) for name in ("exp_avg", "exp_avg_sq")}
            moments["step"] = moments["step"].clone()  # the state's file may be memory-mapped and is removed with the next state
        self.optimizer.load_state_dict(state["optimizer"])
        self.scheduler.load_state_dict(state["scheduler"])


def _without_dropout(model: torch.nn.Module) -> None:
    for module in model.modules():
        if isinstance(module, torch.nn.Dropout):
            module.p = 0.0
        if isinstance(getattr(module, "attention_dropout", None), float):  # attention has it as a number
            setattr(module, "attention_dropout", 0.0)  # noqa: B010


def _groups(model: torch.nn.Module, decay: float) -> list[dict[str, Any]]:
    """Return the optimizer's parameter groups; norm weights and biases have no weight decay."""
    trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
    groups = [([p for p in trained if p.ndim > 1], decay), ([p for p in trained if p.ndim < 2], 0.0)]
    return [{"params": parameters, "weight_decay": share} for parameters, share in groups if parameters]


def _trained(model: torch.nn.Module) -> dict[str, torch.Tensor]:
    return {name: parameter for name, parameter in model.named_parameters() if parameter.requires_grad}


def _sum_gradients(parameters: list[torch.nn.Parameter]) -> None:
    """Sum the gradients over all processes, except those of sharded weights, which FSDP has summed already.

    A gradient that a process lacks counts as zero, such as that of an expert to which none of its tokens was routed; one that every
    process lacks stays None, so that the optimizer leaves the weight alone.
    """
    if processes.count() == 1:
        return
    own = [parameter for parameter in parameters if not isinstance(parameter, DTensor)]
    if not own:
        return
    holders = _summed(torch.tensor([parameter.grad is not None for parameter in own], dtype=torch.int, device=own[0].device))
    for parameter, held in zip(own, holders.tolist(), strict=True):
        if held:
            parameter.grad = _summed(torch.zeros_like(parameter) if parameter.grad is None else parameter.grad)


def _summed(numbers: torch.Tensor) -> torch.Tensor:
    """Sum over all processes, in place."""
    if processes.count() > 1:
        torch.distributed.all_reduce(numbers)
    return numbers
