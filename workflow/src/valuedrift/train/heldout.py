"""Reward and KL on prompts that PPO does not train on."""

from typing import Any

import torch

from valuedrift.config.training import PpoJob
from valuedrift.train.response import response_mask, token_logprobs


class Heldout:
    """Measures a policy on held-out prompts; the same seed at every call, so that two policies meet the same chance."""

    def __init__(self, prompts: list[list[int]], reference: Any, scorer: Any, tokenizer: Any, config: PpoJob) -> None:
        self.prompts, self.reference, self.scorer, self.tokenizer, self.config = prompts, reference, scorer, tokenizer, config

    @torch.no_grad()
    def __call__(self, policy: Any, step: int) -> list[dict[str, Any]]:
        """Rows of TRAINING_LOG: mean reward, KL per response against the reference (sampled, in nats) and tokens per response."""
        if not self.prompts:
            return []
        training, device = self.config.training, policy.device
        prompts = self.tokenizer.pad({"input_ids": self.prompts}, return_tensors="pt").to(device)
        width = prompts["input_ids"].shape[1]
        with torch.random.fork_rng():
            torch.manual_seed(self.config.seed)
            sequences = policy.generate(
                **prompts, do_sample=True, temperature=training.temperature, top_k=0, top_p=1.0,
                max_new_tokens=training.max_response, pad_token_id=self.tokenizer.pad_token_id,
            )  # fmt: skip
        responses = response_mask(sequences[:, width:], self.tokenizer.eos_token_id)
        mask = torch.cat([prompts["attention_mask"], responses.long()], 1)
        ratio = token_logprobs(policy, sequences, mask, width, training.temperature)
        ratio -= token_logprobs(self.reference, sequences, mask, width, training.temperature)
        rewards = self._rewards(sequences, mask)
        values = {"reward": rewards.mean(), "kl": (ratio * responses).sum(1).mean(), "length": responses.sum(1).float().mean()}
        return [
            {"run": self.config.run, "step": step, "metric": f"heldout_{name}", "value": float(value)}
            for name, value in values.items()
        ]

    def _rewards(self, sequences: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        """Reward at the last token of each response, (rows,)."""
        hidden = self.scorer.base_model(input_ids=sequences, attention_mask=mask, position_ids=(mask.cumsum(1) - 1).clamp(min=0))
        scores = self.scorer.score(hidden.last_hidden_state).squeeze(-1)
        last = mask.shape[1] - 1 - mask.flip(1).argmax(1)
        rewards: torch.Tensor = scores[torch.arange(len(scores)), last]
        return rewards
