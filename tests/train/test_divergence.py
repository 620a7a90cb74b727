"""A training whose numbers are not finite ends with the step, leaves nothing, and says what to try; with every algorithm."""

import importlib
import math
from types import SimpleNamespace

import pytest
import torch
from safetensors.torch import load_file
from training_jobs import diverging, job

from valuedrift.config.algorithms import ALGORITHMS
from valuedrift.train.divergence import Diverged, check_log, check_weights

SETTINGS = {"chosen": "support", "batch_size": 8, "logging_steps": 1}
PPO = {"max_response": 8, "ppo_epochs": 1, "heldout": 2}


def run(algorithm, tuned, rewarded, pairs, few, output, **settings):
    minutes = settings.pop("save_minutes", 0)
    options = SETTINGS | (PPO if algorithm == "ppo" else {}) | settings
    if algorithm == "sft":
        options |= {"chosen": None}
    config = diverging(job(algorithm, **options)).model_copy(update={"save_minutes": minutes})
    given = {"reward": rewarded / "manifest.json"} if algorithm == "ppo" else {}
    step = importlib.import_module(f"valuedrift.train.{algorithm}")
    data = few if algorithm == "sft" else pairs
    step.run(config=config, parent=tuned / "manifest.json", data=data, output=output, **given)


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_a_training_that_diverges_ends_with_the_step_and_leaves_nothing(algorithm, tuned, rewarded, pairs, few, tmp_path):
    message = r"the training has diverged: at step [1-4] .*(nan|inf|not finite)\. Lower `learning_rate`, clip gradients"
    with pytest.raises(Diverged, match=message):
        run(algorithm, tuned, rewarded, pairs, few, tmp_path)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("saved", [{"checkpoints": {"every": 2}}, {"save_minutes": 1e-9}])
def test_no_checkpoint_and_no_state_is_kept_of_weights_that_are_not_finite(saved, tuned, few, tmp_path):
    with pytest.raises(Diverged, match=r"at step \d weights are not finite"):
        run("sft", tuned, None, None, few, tmp_path, logging_steps=1000, **saved)
    states = list(tmp_path.rglob("*.safetensors"))  # of the step before: huge, but finite
    assert len(states) == len(list(tmp_path.rglob("log-*.json"))) == ("save_minutes" in saved)
    assert all(weight.isfinite().all() for path in states for weight in load_file(path).values())


@pytest.mark.parametrize(("name", "value"), [("loss", math.nan), ("grad_norm", math.inf), ("value_loss", -math.inf)])
def test_what_the_log_has_of_the_optimization_must_be_finite(name, value):
    with pytest.raises(Diverged, match=f"at step 7 {name} is {value}"):
        check_log({name: value}, 7)
    check_log({name: 1.0, "rewards/margins": math.nan}, 7)


@pytest.mark.parametrize("number", [math.nan, math.inf])
def test_one_weight_in_any_part_is_found_and_frozen_ones_are_not_read(number):
    model = torch.nn.Sequential(torch.nn.Linear(3, 3), torch.nn.Linear(3, 0), torch.nn.Linear(3, 3).to(torch.bfloat16))
    check_weights(1, model, torch.nn.Linear(2, 2))
    with torch.no_grad():
        model[2].weight[1, 1] = number
    with pytest.raises(Diverged, match="at step 1 weights are not finite"):
        check_weights(1, model)
    model[2].weight.requires_grad_(False)
    check_weights(1, model)


def test_a_part_of_a_sharded_weight_is_read():
    weight = torch.nn.Parameter(torch.zeros(0))  # as DeepSpeed leaves it
    weight.ds_tensor = torch.tensor([math.nan])
    with pytest.raises(Diverged):
        check_weights(1, SimpleNamespace(parameters=lambda: [weight]))
