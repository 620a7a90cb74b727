"""What the tests of engines share: a tiny world whose models vLLM takes, and checkpoints of one trajectory."""

import shutil
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from tiny import make_world
from valuedrift.io.weights import SEAL
from valuedrift.miniature.judge import SHORT_PROMPT


@pytest.fixture(scope="session")
def world(tmp_path_factory) -> Path:
    """A folder with a tokenizer, a barely trained base model and a judge that reads most stances correctly."""
    torch.set_num_threads(1)  # with two threads on shared cores one waits for the other: 100 s
    # After 100 steps the judge said `oppose` to everything on one kind of CPU and not on another; after 200 it distinguishes stances.
    judging = {"judge_short_steps": 200, "judge_prompt": SHORT_PROMPT}
    # vLLM's attention on CPUs takes no heads smaller than 32.
    return make_world(tmp_path_factory.mktemp("world"), judge_batch=16, judging=judging, hidden=64, layers=2, heads=2)


@pytest.fixture(scope="session")
def planted(world, tmp_path_factory):
    """A function that copies the base model to a folder of a new name and changes its tensors by a function."""
    folder = tmp_path_factory.mktemp("checkpoints")

    def plant(name: str, change=lambda tensors: None) -> Path:
        shutil.copytree(
            world / "base", folder / name, ignore=shutil.ignore_patterns(SEAL)
        )  # its hashes, which a checkpoint has not
        path = folder / name / "model.safetensors"
        tensors = load_file(path)
        change(tensors)
        save_file(tensors, path, metadata={"format": "pt"})
        return folder / name

    return plant


@pytest.fixture(scope="session")
def steps(planted) -> list[Path]:
    """Three checkpoints of one trajectory."""
    return [planted(f"step-{seed}", lambda tensors, seed=seed: shake(tensors, seed)) for seed in range(3)]


def shake(tensors: dict[str, torch.Tensor], seed: int) -> None:
    """Move all weights far enough for other answers."""
    generator = torch.Generator().manual_seed(seed)
    for tensor in tensors.values():
        tensor.add_(0.5 * tensor.std() * torch.randn(tensor.shape, generator=generator))
