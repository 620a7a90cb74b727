"""PPO: its numbers against their definitions, and real trainings of the tiny model, a few seconds each."""

import json
import os
import signal
from pathlib import Path

import numpy as np
import polars as pl
import pytest
import torch
from training_jobs import job
from transformers import AutoModelForCausalLM, AutoModelForSequenceClassification

from valuedrift.errors import UserError
from valuedrift.io.tables import TRAINING_LOG
from valuedrift.train.ppo import experience, learner, loop, rollout
from valuedrift.train.ppo import step as ppo
from valuedrift.train.ppo.advantages import advantages_and_returns, token_rewards, whitened
from valuedrift.train.ppo.loss import policy_losses, value_losses
from valuedrift.train.ppo.rollout import read, sample
from valuedrift.train.ppo.rollout_batch import Rollouts, final_rewards, token_logprobs, token_values
from valuedrift.train.preemption import Preempted
from valuedrift.train.trajectory import described

CPU = torch.device("cpu")
END, PAD = 0, 1
# Prompts and responses of very different length; one response holds the padding token, one ends, one is a single token.
ROLLOUTS = Rollouts(
    [[5, 6, 7, 8, 9, 10, 11, 12], [13], [14, 15, 16], [17, 18, 19, 20, 21]],
    [[30, 31, END], [40, PAD, 42, 43, 44, 45, 46, END], [50], [60, 61]],
)


@pytest.fixture(scope="module")
def policy(tuned):
    return AutoModelForCausalLM.from_pretrained(tuned / "final").eval()


@pytest.fixture(scope="module")
def scorer(rewarded):
    return AutoModelForSequenceClassification.from_pretrained(rewarded / "final").eval()


@pytest.fixture
def train(tuned, rewarded, pairs):
    def run(output, **settings):
        config = job("ppo", chosen="support", **{"heldout": 4, "learning_rate": 1e-3, "max_response": 16, **settings})
        ppo.run(config=config, parent=tuned / "manifest.json", reward=rewarded / "manifest.json", data=pairs, output=output)
        return output

    return run


def logged(folder: Path, metric: str) -> list[float]:
    return TRAINING_LOG.read(folder / "training_log.parquet").filter(pl.col("metric") == metric).sort("step")["value"].to_list()


def manifest(folder: Path) -> dict:
    return json.loads((folder / "manifest.json").read_text())


@torch.no_grad()
def test_models_read_each_row_as_if_it_stood_alone(policy, scorer):
    """Against the models' own forward passes on the bare row, which know neither padding nor this code."""
    batch = ROLLOUTS.batch(range(4), CPU)
    logprobs, values, rewards = token_logprobs(policy, batch, 0.7), token_values(scorer, batch), final_rewards(scorer, batch)
    for row, (prompt, response) in enumerate(zip(ROLLOUTS.prompts, ROLLOUTS.responses, strict=True)):
        ids, start, n = torch.tensor([prompt + response]), len(prompt), len(response)
        expected = (policy(ids).logits[0] / 0.7).log_softmax(-1)[range(start - 1, start + n - 1), response]
        assert logprobs[row, :n] == pytest.approx(expected, abs=1e-5) and not logprobs[row, n:].any()
        hidden = scorer.base_model(ids).last_hidden_state
        assert values[row, :n] == pytest.approx(scorer.score(hidden)[0, start - 1 : -1, 0], abs=1e-5) and not values[row, n:].any()
        scorer.config.pad_token_id = None  # one row: its last token is the last
        assert rewards[row].item() == pytest.approx(scorer(ids).logits.item(), abs=1e-5)


def test_rewards_stand_at_the_last_token_and_each_token_pays_for_its_distance():
    mask = torch.tensor([[1, 1, 1], [1, 0, 0]]).bool()
    kl = torch.tensor([[0.5, -1.0, 2.0], [4.0, 0.0, 0.0]])
    found = token_rewards(torch.tensor([10.0, 20.0]), kl, mask, 0.1)
    assert found.tolist() == [pytest.approx([-0.05, 0.1, 9.8]), pytest.approx([19.6, 0.0, 0.0])]


def test_advantages_are_the_weighted_sums_of_their_definition():
    """Â_t = Σ_l (γλ)^l δ_{t+l}, summed anew for each token of each row alone; the padded row must come out the same."""
    random = np.random.default_rng(0)
    lengths, discount, decay = (6, 3), 0.9, 0.8
    rewards, values = (torch.zeros(2, 6) for _ in range(2))
    for row, n in enumerate(lengths):
        rewards[row, :n], values[row, :n] = torch.tensor(random.normal(size=(2, n)))
    found, returns = advantages_and_returns(rewards, values, discount, decay)
    for row, n in enumerate(lengths):
        r, v = rewards[row].tolist(), [*values[row, :n].tolist(), 0.0]
        delta = [r[t] + discount * v[t + 1] - v[t] for t in range(n)]
        expected = [sum((discount * decay) ** (k - t) * delta[k] for k in range(t, n)) for t in range(n)]
        assert found[row, :n].tolist() == pytest.approx(expected, abs=1e-5)
        assert returns[row, :n].tolist() == pytest.approx([a + b for a, b in zip(expected, v, strict=False)], abs=1e-5)
        assert not found[row, n:].any() and not returns[row, n:].any()


def test_whitening_knows_the_responses_alone():
    mask = torch.tensor([[1, 1, 0], [1, 0, 0]]).bool()
    numbers = torch.tensor([[1.0, 3.0, 99.0], [8.0, -99.0, 99.0]])
    alone = torch.tensor([1.0, 3.0, 8.0])
    assert whitened(numbers, mask)[mask].tolist() == pytest.approx(((alone - 4) / alone.std()).tolist(), abs=1e-5)
    assert whitened(numbers, mask, centred=False)[mask].mean().item() == pytest.approx(4, abs=1e-5)
    assert not whitened(numbers, mask)[~mask].any()
    assert whitened(numbers, mask & (numbers == 8)).sum() == 8


def test_losses_are_clipped_where_more_would_be_earned():
    ratios, advantages = torch.tensor([1.5, 1.5, 0.5, 0.5, 1.1]), torch.tensor([1.0, -1.0, 1.0, -1.0, 2.0])
    losses, clipped = policy_losses(ratios.log(), torch.zeros(5), advantages, 0.2)
    assert losses.tolist() == pytest.approx([-1.2, 1.5, -0.5, 0.8, -2.2]) and clipped.tolist() == [True, False, False, True, False]
    losses, clipped = value_losses(torch.tensor([1.0, 1.0, -1.0]), torch.zeros(3), torch.tensor([1.0, 2.0, 3.0]), 0.2)
    assert losses.tolist() == pytest.approx([0.32, 1.62, 8.0]) and clipped.tolist() == [True, True, False]


def test_a_response_depends_neither_on_its_neighbours_nor_on_the_step_before(policy):
    prompts = [prompt * 2 for prompt in ROLLOUTS.prompts]
    settings = {"end": END, "temperature": 1.0, "limit": 12}
    together = sample(policy, prompts, (3, 1, 7), at_once=None, **settings).responses
    assert sample(policy, prompts, (3, 1, 7), at_once=1, **settings).responses == together
    assert sample(policy, prompts, (3, 1, 8), at_once=None, **settings).responses != together
    assert len({tuple(response) for response in together}) > 1


def test_before_the_policy_moves_every_ratio_is_exactly_1_and_the_distance_0(train, tmp_path, monkeypatch):
    seen = []

    def watched(new, old, advantages, clip):
        seen.append((new - old).exp().unique().tolist())
        return policy_losses(new, old, advantages, clip)

    monkeypatch.setattr(learner, "policy_losses", watched)
    train(tmp_path, batch_size=9, device_batch_size=3, ppo_epochs=2, temperature=1.3)
    assert seen[:3] == [[1.0]] * 3 and seen[3] != [1.0]
    assert logged(tmp_path, "kl")[0] == 0 and logged(tmp_path, "policy_clipped")[0] >= 0
    assert logged(tmp_path, "heldout_kl")[0] == 0 and logged(tmp_path, "heldout_kl")[1] != 0


def test_what_a_device_holds_at_once_changes_nothing(train, tmp_path):
    """Rollouts of different length, so that means of means would differ from the mean."""
    settings = {"batch_size": 16, "minibatches": 2, "temperature": 1.5, "ppo_epochs": 2, "heldout": 1}
    whole = train(tmp_path / "whole", **settings)
    parts = train(tmp_path / "parts", **settings, device_batch_size=2, rollout_batch_size=3)
    assert not all(length.is_integer() for length in logged(whole, "response_length"))
    for metric in ("reward", "kl", "policy_loss", "value_loss", "response_length"):
        assert logged(parts, metric) == pytest.approx(logged(whole, metric), rel=1e-3, abs=1e-5)


def test_minibatches_are_steps_of_their_own(train, tmp_path, monkeypatch):
    steps = []
    take = torch.optim.AdamW.step
    monkeypatch.setattr(torch.optim.AdamW, "step", lambda self, *a, **k: (steps.append(1), take(self, *a, **k))[1])
    train(tmp_path, batch_size=16, minibatches=4, ppo_epochs=2, device_batch_size=4, max_response=4, heldout=1)
    assert len(steps) == 4 * 2 * manifest(tmp_path)["total_steps"]


def test_processes_that_cannot_share_a_minibatch_are_refused_before_anything_is_loaded(train, tmp_path, monkeypatch):
    monkeypatch.setenv("WORLD_SIZE", "3")
    with pytest.raises(
        UserError, match=r"a minibatch of 4 .* cannot be shared equally by 3 GPUs; the nearest number below that can is 2"
    ):
        train(tmp_path, batch_size=8, minibatches=2)


class SignalAt(loop.Training):
    """Sends its own process a SIGTERM during the given step."""

    at = 0

    def _take(self):
        if self.step + 1 == self.at:
            os.kill(os.getpid(), signal.SIGTERM)
        super()._take()


@pytest.mark.parametrize(
    "settings", [{}, {"lora": {"rank": 4, "dropout": 0.1}, "gradient_checkpointing": True}], ids=["whole", "adapters"]
)
def test_stopped_twice_it_ends_as_if_undisturbed(train, tmp_path, monkeypatch, settings):
    settings = {
        "epochs": 1, "schedule": "cosine", "warmup": 0.2, "minibatches": 2, "device_batch_size": 2, "ppo_epochs": 2,
        "checkpoints": {"every": 2}, "temperature": 1.5, "max_response": 8, **settings,
    }  # fmt: skip
    undisturbed, stopped = train(tmp_path / "undisturbed", **settings), tmp_path / "stopped"
    total = manifest(undisturbed)["total_steps"]
    assert total == 5 and logged(undisturbed, "kl")[-1] != 0
    monkeypatch.setattr(ppo, "Training", SignalAt)
    for step in (2, 3):
        monkeypatch.setattr(SignalAt, "at", step)
        with pytest.raises(Preempted, match=f"stopped at step {step} of {total} as asked"):
            train(stopped, **settings)
        assert [path.name for path in stopped.iterdir()] == [".unfinished"]
    monkeypatch.setattr(SignalAt, "at", total)
    train(stopped, **settings)
    (stopped / "manifest.json").unlink()  # as Snakemake deletes the outputs of a job that was signalled
    monkeypatch.setattr(SignalAt, "_take", None)
    train(stopped, **settings)
    files = [
        {str(path.relative_to(f)): path.read_bytes() for path in f.rglob("*") if path.is_file()} for f in (undisturbed, stopped)
    ]
    assert files[0].keys() == files[1].keys() and [name for name in files[0] if files[0][name] != files[1][name]] == []


def test_a_response_has_ended_if_its_last_token_is_the_end_and_reading_in_parts_keeps_the_order(scorer):
    rated = experience.Rated(ROLLOUTS, *(torch.zeros(4) for _ in range(4)))
    assert rated.ended(END).tolist() == [True, True, False, False]
    estimated = read(ROLLOUTS, 3, lambda batch: token_values(scorer, batch), CPU)
    assert torch.allclose(estimated, token_values(scorer, ROLLOUTS.batch(range(4), CPU)), atol=1e-5)


def test_the_penalty_for_a_missing_end_applies(train, tmp_path):
    """Responses of at most 2 tokens never end, so that the first step's mean reward is lower by exactly the penalty."""
    found = [train(tmp_path / f"{p}", learning_rate=1e-6, batch_size=32, max_response=2, eos_penalty=p) for p in (None, 5.0)]
    assert set(logged(found[0], "ended")) == {0.0}
    assert logged(found[0], "reward")[0] - logged(found[1], "reward")[0] == pytest.approx(5.0, abs=1e-4)
    assert logged(found[0], "heldout_reward")[0] == logged(found[1], "heldout_reward")[0]


def test_ppo_raises_the_reward_at_a_logged_kl(train, tuned, rewarded, tmp_path):
    """The SFT model says one sentence; the reward prefers any other words: PPO finds some, and says how far it went."""
    assert logged(rewarded, "accuracy")[-1] == 1.0
    train(tmp_path, learning_rate=3e-3, epochs=6, kl=0.0, temperature=1.5, heldout=10)
    before, after = logged(tmp_path, "heldout_reward")
    assert after > before
    assert logged(tmp_path, "heldout_kl")[1] > 0.01
    steps = manifest(tmp_path)["total_steps"]
    for metric in ("reward", "kl", "response_length", "policy_loss", "value_loss", "learning_rate"):
        assert len(logged(tmp_path, metric)) == steps
    assert all(1 <= length <= 16 for length in logged(tmp_path, "response_length"))
    assert manifest(tmp_path)["parent_hash"] == described(tuned / "final")["hash"]
    assert manifest(tmp_path)["reward_hash"] == described(rewarded / "final")["hash"]


def test_sampling_computes_in_what_the_update_reads_with(policy, monkeypatch):
    """bfloat16 on a GPU, for which a CPU stands here; on a CPU itself nothing changes."""
    seen = []
    monkeypatch.setattr(rollout, "continuations", lambda *_: seen.append(torch.is_autocast_enabled("cpu")) or [[END]])
    sample(policy, [[5]], (0,), end=END, temperature=1.0, limit=1, at_once=None)
    monkeypatch.setattr(rollout, "autocast", lambda device: torch.autocast(device.type, torch.bfloat16))
    sample(policy, [[5]], (0,), end=END, temperature=1.0, limit=1, at_once=None)
    assert seen == [False, True]


def test_a_gradient_that_one_process_lacks_is_summed_with_the_others(monkeypatch):
    """Of three weights this process has a gradient for the first alone, another one for the first two, each of ones."""
    others = iter([torch.tensor([1, 1, 0]), torch.ones(2), torch.ones(2)])
    monkeypatch.setattr(learner.processes, "count", lambda: 2)
    monkeypatch.setattr(learner, "_summed", lambda numbers: numbers + next(others))
    weights = [torch.nn.Parameter(torch.full((2,), 7.0)) for _ in range(3)]
    weights[0].grad = torch.ones(2)
    learner._sum_gradients(weights)
    assert [None if w.grad is None else w.grad.tolist() for w in weights] == [[2, 2], [1, 1], None]
