"""Trainings of several processes: they give the results of one process, and stop and resume together."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import polars as pl
import pytest
from safetensors.torch import load_file
from training_jobs import ANSWER, QUESTION, differing, job, start, wait_for

import valuedrift
from valuedrift.cluster.accelerate import launcher
from valuedrift.config.train import TrainingConfig
from valuedrift.errors import UserError
from valuedrift.io.tables import PREFERENCE_SET, SFT_SET, TRAINING_LOG
from valuedrift.train import dpo, processes, sft
from valuedrift.train.arguments import device_batches
from valuedrift.train.ppo import step as ppo

GANG = Path(__file__).with_name("gang.py")


def train_in_two(weights: str, trainings: list[dict], folder: Path) -> None:
    """Run the trainings in two processes of one `accelerate launch`; `weights` is whole or shared."""
    (folder / "trainings.json").write_text(json.dumps(trainings, default=str))
    command = f"{launcher(2, 'fsdp2')} {GANG} {weights} {folder / 'trainings.json'}"
    environment = os.environ | {
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "PYTHONPATH": str(Path(valuedrift.__file__).parents[1]),
        "OMP_NUM_THREADS": "1",
        **({"ACCELERATE_TORCH_DEVICE": "cpu"} if weights == "shared" else {}),
    }
    done = subprocess.run(command, shell=True, env=environment, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr


def log(folder: Path) -> pl.DataFrame:
    return TRAINING_LOG.read(folder / "training_log.parquet").sort("metric", "step")


def assert_same_training(one: Path, two: Path, metrics: list[str], same_weights: float) -> None:
    for metric in metrics:
        a, b = (log(folder).filter(pl.col("metric") == metric)["value"] for folder in (one, two))
        assert len(a) == len(b) > 1 and (a - b).abs().max() < 1e-4, metric
    a, b = (json.loads((folder / "manifest.json").read_text()) for folder in (one, two))
    hidden = [manifest.pop("checkpoints") for manifest in (a, b)]
    assert a == b
    assert [c["fingerprint"] for c in hidden[0]] == [c["fingerprint"] for c in hidden[1]]
    for checkpoint in hidden[0]:
        x, y = (load_file(folder / checkpoint["path"] / "model.safetensors") for folder in (one, two))
        assert x.keys() == y.keys() and max((x[name] - y[name]).abs().max() for name in x) < same_weights
    assert sorted(path.name for path in one.iterdir()) == sorted(path.name for path in two.iterdir())


@pytest.fixture(scope="module")
def data(pairs, tmp_path_factory) -> Path:
    """Training sets.

    `sft`: answers of 1 to 4 sentences, so that a process's share of a batch has more tokens than the other's; of the five for
    validation one process has three, in one batch more than the other. `dpo`: whole batches
    of 8, since several processes fill the last batch of an epoch with its first examples.
    """
    folder = tmp_path_factory.mktemp("data")
    turns = [
        [{"role": "user", "content": f"{QUESTION} {i}"}, {"role": "assistant", "content": " ".join([ANSWER] * (1 + i % 4))}]
        for i in range(37)
    ]
    rows = [{"row": i, "split": "train" if i < 32 else "validation", "messages": messages} for i, messages in enumerate(turns)]
    SFT_SET.write(SFT_SET.frame(rows), folder / "sft.parquet")
    whole = PREFERENCE_SET.read(pairs).filter(pl.col("split") == "train").head(32)
    PREFERENCE_SET.write(whole, folder / "dpo.parquet")
    return folder


STOPPED = job("dpo", chosen="support", epochs=8, device_batch_size=4, logging_steps=3, checkpoints={"every": 3}, learning_rate=1e-3)


@pytest.fixture(scope="module")
def trainings(data, tiny_base, tuned, rewarded, pairs) -> dict[str, dict]:
    ppo_config = job("ppo", chosen="support", learning_rate=1e-3, max_response=16, batch_size=8, minibatches=2, device_batch_size=2,
                     temperature=1.5, heldout=3)  # fmt: skip
    configs = {
        "sft": job("sft", learning_rate=1e-3, max_length=256, device_batch_size=2),
        "dpo": job("dpo", learning_rate=1e-4, chosen="support"),
        "ppo": ppo_config,
    }
    found: dict[str, dict] = {
        name: {"config": config, "parent": tiny_base / "manifest.json", "data": data / f"{name}.parquet"}
        for name, config in configs.items()
    }
    found["ppo"] |= {"parent": tuned / "manifest.json", "reward": rewarded / "manifest.json", "data": pairs}
    return found


@pytest.fixture(scope="module")
def one(trainings, tmp_path_factory) -> Path:
    """Folder of the trainings as one process does them."""
    folder = tmp_path_factory.mktemp("one")
    for name, training in trainings.items():
        {"sft": sft, "dpo": dpo, "ppo": ppo}[name].run(**training, output=folder / name)
    return folder


def in_two(weights: str, names: list[str], trainings: dict[str, dict], folder: Path, *more: dict) -> Path:
    given = [training | {"config": training["config"].model_dump(mode="json")} for training in map(trainings.get, names)]
    train_in_two(weights, [*(t | {"output": folder / name} for t, name in zip(given, names, strict=True)), *more], folder)
    return folder


def diverging_in(folder: Path, trainings: dict[str, dict], **settings) -> dict:
    """Return a training that diverges, whose processes write what they end with."""
    config = job("dpo", chosen="support", **settings).model_dump(mode="json")
    return trainings["dpo"] | {"config": config, "output": folder / "diverged", "ends_with": folder / "error"}


@pytest.fixture(scope="module")
def stopped(tuned, pairs, tmp_path_factory) -> Path:
    """Folder of a training in two processes that got a SIGTERM and left a resume state."""
    output = tmp_path_factory.mktemp("stopped")
    process = start(STOPPED, tuned / "manifest.json", pairs, output, gpus=2)
    wait_for(output / ".unfinished" / "trajectory" / "step-6" / "model.safetensors", process)
    process.terminate()
    errors = process.communicate()[1]
    steps = re.findall(r"stopped at step (\d+) of 40 as asked", errors)
    assert process.returncode != 0 and len(steps) == 2 and len(set(steps)) == 1, errors
    assert len(list((output / ".unfinished" / "state").glob("log-*.json"))) == 2
    return output


@pytest.fixture(scope="module")
def done(tuned, pairs, tmp_path_factory) -> Path:
    """Folder of a training in two processes that got a SIGTERM in its last step, without the outputs.

    The launcher fails whatever its processes do, so Snakemake deletes them.
    """
    output = tmp_path_factory.mktemp("done")
    process = start(STOPPED, tuned / "manifest.json", pairs, output, gpus=2)
    wait_for(output / ".unfinished" / "trajectory" / "step-40" / "model.safetensors", process)
    process.terminate()
    assert process.wait(60) != 0
    assert json.loads((output / "manifest.json").read_text())["total_steps"] == 40
    for path in output.glob("[!.]*"):
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    return output


@pytest.fixture(scope="module")
def whole(trainings, stopped, done, tuned, pairs, tmp_path_factory) -> Path:
    """Folder of the trainings in two processes that each have all weights, with those that got a signal again and undisturbed."""
    folder, training = tmp_path_factory.mktemp("two"), {"parent": tuned / "manifest.json", "data": pairs}
    training["config"] = STOPPED.model_dump(mode="json")
    ends = [training | {"output": output} for output in (stopped, done, folder / "undisturbed")]
    return in_two(
        "whole", ["sft", "dpo", "ppo"], trainings, folder, *ends, diverging_in(folder, trainings, checkpoints={"fractions": [1]})
    )


@pytest.fixture(scope="module")
def shared(trainings, tmp_path_factory) -> Path:
    """Folder of the trainings in two processes that each have a shard of every weight."""
    folder = tmp_path_factory.mktemp("shared")
    return in_two(
        "shared",
        ["sft", "dpo", "ppo"],
        trainings,
        folder,
        diverging_in(folder, trainings, checkpoints={"every": 2}, logging_steps=99),
    )


def test_all_processes_of_a_training_that_diverges_end_at_the_same_step(whole, shared):
    for folder, what in ((whole, r"(loss|grad_norm) is (nan|inf)"), (shared, "weights are not finite")):
        first, second = ((folder / f"error-{rank}").read_text() for rank in (0, 1))
        assert first == second and re.search(rf"the training has diverged: at step [1-4] {what}", first)
        assert not any((folder / "diverged").iterdir())


def test_sft_of_two_processes_is_that_of_one(one, whole):
    assert_same_training(one / "sft", whole / "sft", ["loss", "grad_norm", "validation_loss", "validation_rows"], 1e-4)


def test_sft_of_two_processes_that_share_the_weights_is_that_of_one(one, shared):
    assert_same_training(one / "sft", shared / "sft", ["loss", "grad_norm", "validation_loss", "validation_rows"], 1e-4)


def test_dpo_of_two_processes_is_that_of_one(one, whole):
    assert_same_training(one / "dpo", whole / "dpo", ["loss", "rewards/margins"], 1e-4)


def test_dpo_of_two_processes_that_share_the_weights_is_that_of_one(one, shared):
    assert_same_training(one / "dpo", shared / "dpo", ["loss", "rewards/margins"], 1e-4)


def test_ppo_of_two_processes_is_that_of_one(one, whole):
    assert_same_training(one / "ppo", whole / "ppo", log(one / "ppo")["metric"].unique().to_list(), 1e-4)


def test_ppo_of_two_processes_that_share_the_weights_is_that_of_one(one, shared):
    assert_same_training(one / "ppo", shared / "ppo", log(one / "ppo")["metric"].unique().to_list(), 1e-4)


def test_several_processes_stop_at_the_same_step_and_end_as_if_undisturbed(stopped, whole):
    """The launcher gets the signal and passes it to its processes, which are then in different steps; each has a part of the state."""
    assert differing(stopped, whole / "undisturbed") == []


def test_several_processes_that_get_a_signal_in_their_last_step_need_no_other_one(trained, done, whole):
    assert differing(done, whole / "undisturbed") == []
    assert [path.stat().st_ino for path in weights(done)] == trained


def weights(output: Path) -> list[Path]:
    return sorted(output.rglob("model.safetensors"), key=lambda path: (path.parent.name != "final", path))


@pytest.fixture(scope="module")
def trained(done) -> list[int]:
    """The files that the processes wrote before the signal, by their numbers on disk."""
    return [path.stat().st_ino for path in weights(done)]


@pytest.mark.parametrize(("visible", "kept"), [(None, "0"), ("", ""), ("3,5", "3"), ("GPU-a1,GPU-b2", "GPU-a1")])
def test_a_single_process_keeps_to_one_gpu(visible, kept, monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible or "")
    if visible is None:
        monkeypatch.delenv("CUDA_VISIBLE_DEVICES")
    processes.join()
    assert os.environ["CUDA_VISIBLE_DEVICES"] == kept
    monkeypatch.setenv("WORLD_SIZE", "2")
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "3,5")
    monkeypatch.setattr("accelerate.PartialState", lambda **_: None)
    monkeypatch.setattr("ctypes.CDLL", lambda _: SimpleNamespace(prctl=lambda *_: 0))
    processes.join()
    assert os.environ["CUDA_VISIBLE_DEVICES"] == "3,5"  # the launcher gives each its own


@pytest.mark.parametrize(
    ("batch", "device", "devices", "held", "accumulation"),
    [(32, None, 1, 32, 1), (32, 8, 1, 8, 4), (32, 8, 2, 8, 2), (32, 8, 8, 4, 1), (24, 8, 2, 6, 2), (128, 4, 8, 4, 4)],
)
def test_an_optimizer_step_has_the_configs_batch_on_any_number_of_devices(batch, device, devices, held, accumulation):
    training = TrainingConfig(learning_rate=1, batch_size=batch, device_batch_size=device)
    assert device_batches(training, devices) == (held, accumulation)
    assert held * accumulation * devices == batch


@pytest.mark.parametrize(
    ("batch", "devices", "says"),
    [
        (32, 3, "train on 2 or 4 (`cluster.gpus`), or set a batch_size of 30 or 33"),
        (10, 8, "train on 5 or 10 (`cluster.gpus`), or set a batch_size of 8 or 16"),
        (4, 6, "train on 4 (`cluster.gpus`), or set a batch_size of 6"),
    ],
)
def test_a_batch_that_devices_cannot_share_is_refused_with_what_is_nearest(batch, devices, says):
    with pytest.raises(UserError) as error:
        device_batches(TrainingConfig(learning_rate=1, batch_size=batch), devices)
    assert says in str(error.value)
