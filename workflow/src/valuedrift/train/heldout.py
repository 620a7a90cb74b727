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
        size = self.config.training.device_batch_size or self.config.training.batch_size
        with torch.random.fork_rng():
            torch.manual_seed(self.config.seed)
            chunks = [self._chunk(policy, self.prompts[start : start + size]) for start in range(0, len(self.prompts), size)]
        values = {name: torch.cat([chunk[name] for chunk in chunks]).float().mean().item() for name in chunks[0]}
        return [
            {"run": self.config.run, "step": step, "metric": f"heldout_{name}", "value": value} for name, value in values.items()
        ]

    def _chunk(self, policy: Any, tokens: list[list[int]]) -> dict[str, torch.Tensor]:
        """reward, kl and length of one sampled response to each prompt, each (prompts,)."""
        training = self.config.training
        prompts = self.tokenizer.pad({"input_ids": tokens}, return_tensors="pt").to(policy.device)
        width = prompts["input_ids"].shape[1]
        sequences = policy.generate(
            **prompts, do_sample=True, temperature=training.temperature, top_k=0, top_p=1.0,
            max_new_tokens=training.max_response, pad_token_id=self.tokenizer.pad_token_id,
        )  # fmt: skip
        responses = response_mask(sequences[:, width:], self.tokenizer.eos_token_id)
        mask = torch.cat([prompts["attention_mask"], responses.long()], 1)
        ratio = token_logprobs(policy, sequences, mask, width, training.temperature)
        ratio -= token_logprobs(self.reference, sequences, mask, width, training.temperature)
        return {"reward": self._rewards(sequences, mask), "kl": (ratio * responses).sum(1), "length": responses.sum(1)}

    def _rewards(self, sequences: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        """Reward at the last token of each response, (rows,)."""
        hidden = self.scorer.base_model(input_ids=sequences, attention_mask=mask, position_ids=(mask.cumsum(1) - 1).clamp(min=0))
        scores = self.scorer.score(hidden.last_hidden_state).squeeze(-1)
        last = mask.shape[1] - 1 - mask.flip(1).argmax(1)
        rewards: torch.Tensor = scores[torch.arange(len(scores)), last]
        return rewards
