"""Trainings of the tiny model that are stopped or killed, and give byte-equal results when resumed."""

import importlib
import json
import os
import shutil
import signal
import time
from pathlib import Path

import pytest
import torch
from training_jobs import differing, job, start, wait_for

from valuedrift.train import resume, trajectory
from valuedrift.train.preemption import Preempted, Preemption
from valuedrift.train.resume_state import ResumeState
from valuedrift.train.trajectory import identity_of, workspace

# Two epochs whose last batch is not full, accumulation, a learning rate that changes, and rows of the log that span a stop.
SETTINGS = {
    "epochs": 2, "batch_size": 8, "device_batch_size": 4, "schedule": "cosine", "warmup": 0.2, "logging_steps": 3,
    "checkpoints": {"every": 3}, "learning_rate": 1e-3,
}  # fmt: skip
LORA = {"lora": {"rank": 4, "dropout": 0.1}, "gradient_checkpointing": True}  # dropout draws random numbers at every step


@pytest.fixture(autouse=True)
def one_thread():
    """As the processes below have, so that sums are of one order: with two threads, their logs differed in the last digit."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


class SignalAt(resume.SaveState):
    """Sends its own process a signal, or two, during the given step."""

    step, signals = 0, (signal.SIGTERM,)

    def on_step_begin(self, args, state, control, **kwargs):
        if state.global_step + 1 == self.step:
            for number in self.signals:
                os.kill(os.getpid(), number)


@pytest.fixture
def signal_at(monkeypatch):
    """Call with a step: the next trainings get a signal during it; with 0, never."""

    def at(step, signals=(signal.SIGTERM,)):
        monkeypatch.setattr(SignalAt, "step", step)
        monkeypatch.setattr(SignalAt, "signals", signals)
        monkeypatch.setattr(resume, "SaveState", SignalAt)

    return at


class Training:
    """One training of the tiny model, to be run as often as a test likes."""

    def __init__(self, algorithm, tuned, pairs, **settings):
        chosen = {} if algorithm == "sft" else {"chosen": "support"}
        self.config = job(algorithm, **chosen, **{**SETTINGS, **settings})
        self.algorithm, self.parent, self.data = algorithm, tuned / "manifest.json", pairs

    def run(self, output: Path, **changes):
        config = self.config.model_copy(update=changes)
        importlib.import_module(f"valuedrift.train.{self.algorithm}").run(
            config=config, parent=self.parent, data=self.data, output=output
        )


@pytest.mark.parametrize(
    ("algorithm", "settings", "stops"),
    [
        ("sft", {}, (4, 5, 7)),
        ("dpo", {}, (7,)),
        ("dpo", LORA, (7,)),
        ("simpo", LORA, (7,)),
        ("kto", LORA, (7,)),
        ("orpo", LORA, (7,)),
        ("reward", {}, (4,)),
        ("reward", LORA, (7,)),
    ],
)
def test_stopped_it_ends_as_if_undisturbed(algorithm, settings, stops, tuned, pairs, few, tmp_path, signal_at):
    """In the first epoch, at its end (5) and in the second; the second signal, while it stops already, changes nothing."""
    training = Training(algorithm, tuned, few if algorithm == "sft" else pairs, **settings)
    undisturbed, stopped = tmp_path / "undisturbed", tmp_path / "stopped"
    training.run(undisturbed)
    assert json.loads((undisturbed / "manifest.json").read_text())["total_steps"] == 10
    for step in stops:
        signal_at(step, signals=(signal.SIGTERM, signal.SIGTERM))
        with pytest.raises(Preempted, match=f"stopped at step {step} of 10 as asked; run again to go on from there"):
            training.run(stopped)
        assert [path.name for path in stopped.iterdir()] == [".unfinished"]
    signal_at(0)
    training.run(stopped)
    assert differing(stopped, undisturbed) == []


def test_another_training_does_not_go_on_from_it(tuned, few, tmp_path, signal_at, capsys):
    training = Training("sft", tuned, few)
    signal_at(7)
    with pytest.raises(Preempted):
        training.run(tmp_path / "changed", seed=4)
    signal_at(0)
    training.run(tmp_path / "changed")
    assert "has another config, data, parent, code or version: starting from scratch" in capsys.readouterr().err
    training.run(tmp_path / "undisturbed")
    assert differing(tmp_path / "changed", tmp_path / "undisturbed") == []
    assert "from scratch" not in capsys.readouterr().err


def test_what_decides_how_a_training_goes_on():
    config, manifest = job("dpo", chosen="support"), {"parent_hash": "a", "data_hash": "b", "versions": {"torch": "1"}}
    same = identity_of(config, manifest)
    assert identity_of(config.model_copy(update={"save_minutes": 7}), manifest) == same
    others = [identity_of(config, manifest | change) for change in ({"parent_hash": "x"}, {"data_hash": "x"}, {"versions": {}})]
    others += [
        identity_of(job("dpo", chosen=chosen, **more), manifest) for chosen, more in (("oppose", {}), ("support", {"beta": 0.2}))
    ]
    assert len({same, *others}) == 6


def test_periodic_states_change_nothing_and_one_is_kept(tuned, few, tmp_path, monkeypatch):
    kept = []

    class Watched(resume.SaveState):
        def on_step_end(self, args, state, control, **kwargs):
            super().on_step_end(args, state, control, **kwargs)
            kept.append([path.name for path in self.space.scratch.glob("state-*")])

    training = Training("sft", tuned, few)
    training.run(tmp_path / "undisturbed")
    monkeypatch.setattr(resume, "SaveState", Watched)
    training.run(tmp_path / "saved", save_minutes=1e-9)
    assert [len(states) for states in kept] == [0] + 9 * [1] and len({states[0] for states in kept[1:]}) == 9
    assert differing(tmp_path / "saved", tmp_path / "undisturbed") == []


def test_a_process_that_is_killed_after_a_periodic_state_is_resumed(tuned, few, tmp_path):
    training = Training("sft", tuned, few, batch_size=4, epochs=3, checkpoints={"every": 5})
    killed, undisturbed = tmp_path / "killed", tmp_path / "undisturbed"
    unfinished = killed / ".unfinished"
    process = start(training.config.model_copy(update={"save_minutes": 1e-9}), training.parent, training.data, killed)
    wait_for(unfinished / "trajectory" / "step-5" / "model.safetensors", process)
    process.kill()
    assert process.wait() == -signal.SIGKILL and (unfinished / "state").exists()
    training.run(killed)
    training.run(undisturbed)
    assert differing(killed, undisturbed) == []


def text(content: str):
    """Writes a state of one file."""
    return lambda folder: (folder / "weights").write_text(content)


def unfinished(output: Path, identity="same") -> ResumeState:
    """The folder as a process finds it that starts now."""
    found = ResumeState(output)
    found.open(identity)
    return found


def test_a_state_is_whole_or_the_one_before(tmp_path):
    def half(folder: Path) -> None:
        text("half")(folder)
        raise OSError("no space left")

    space = unfinished(tmp_path)
    assert space.state is None
    space.checkpoints[5] = {}
    for folder in ("step-5", "step-9"):
        (space.trajectory / folder).mkdir(parents=True)
    space.keep(text("one"))
    with pytest.raises(OSError, match="no space"):
        space.keep(half)
    assert len(list(space.scratch.glob("state-*"))) == 2
    space = unfinished(tmp_path)
    assert (space.state / "weights").read_text() == "one" and space.checkpoints == {5: {}}
    assert [path.name for path in space.trajectory.iterdir()] == ["step-5"]
    assert {path.name for path in space.scratch.iterdir()} == {"identity", "owner", "trajectory", "state", space.state.name}
    space.keep(text("two"))
    assert (unfinished(tmp_path).state / "weights").read_text() == "two"
    assert unfinished(tmp_path, "other").state is None


def test_a_state_whose_checkpoints_are_gone_is_none(tmp_path):
    space = unfinished(tmp_path)
    space.checkpoints[5] = {}
    (space.trajectory / "step-5").mkdir(parents=True)
    space.keep(text("one"))
    assert unfinished(tmp_path).state
    space.trajectory.rename(tmp_path / "trajectory")
    assert unfinished(tmp_path).state is None


def test_a_state_that_cannot_be_read_is_none(tmp_path, capsys):
    space = unfinished(tmp_path)
    space.keep(text("one"))
    (space.state / "checkpoints.json").write_text("{")
    assert unfinished(tmp_path).state is None
    assert "is damaged" in capsys.readouterr().err


def test_an_error_leaves_a_state_that_was_kept_and_else_nothing(tmp_path):
    for kept in (False, True):
        with pytest.raises(ZeroDivisionError), workspace(tmp_path, "same") as space:
            if kept:
                space.keep(text("one"))
            raise ZeroDivisionError
        assert space.scratch.exists() == kept


OUTPUTS = {"trajectory", "final", "training_log.parquet", "manifest.json"}


def delete_outputs(output: Path) -> None:
    """Do what Snakemake does about a job that ended as failed, such as one that SLURM had signalled."""
    for name in OUTPUTS:
        shutil.rmtree(output / name) if (output / name).is_dir() else (output / name).unlink()


@pytest.mark.parametrize("when", ["last step", "publishing"])
def test_a_signal_does_not_cost_a_training_that_is_done(when, tuned, few, tmp_path, signal_at, monkeypatch):
    """Its outputs are there at once; where they are deleted all the same, they are published again without another step."""
    training, signalled = Training("sft", tuned, few), tmp_path / "signalled"
    training.run(tmp_path / "undisturbed")
    if when == "last step":
        signal_at(10)
    else:
        write = trajectory.write_manifest
        monkeypatch.setattr(trajectory, "write_manifest", lambda *given: (os.kill(os.getpid(), signal.SIGTERM), write(*given)))
    training.run(signalled)
    assert {path.name for path in signalled.iterdir()} == {".unfinished", *OUTPUTS}
    delete_outputs(signalled)
    monkeypatch.undo()
    monkeypatch.delattr("transformers.Trainer.train")
    training.run(signalled)
    assert differing(signalled, tmp_path / "undisturbed") == []


def test_a_kill_at_any_moment_of_publishing_costs_no_step(tmp_path, monkeypatch):
    """Before the trajectory is in place, the final model, the log, the manifest: no step is lost, and no manifest is there."""

    class Killed(BaseException): ...

    replace, log = Path.replace, [{"run": "x", "step": 1, "metric": "loss", "value": 0.5}]
    for before in range(4):
        names = iter(["state", "trajectory", "final", "training_log.parquet"][: before + 1])

        def until(path: Path, target: Path, names=names) -> Path:
            if target.name != next(names, None):
                raise Killed
            return replace(path, target)

        with monkeypatch.context() as patch, pytest.raises(Killed), workspace(tmp_path, "same") as space:
            if before == 0:
                space.trajectory.joinpath("step-1").mkdir(parents=True)
                space.checkpoints[1] = {"step": 1}
            assert space.log == (log if before else None)
            patch.setattr(Path, "replace", until)
            space.finish({}, log)
        assert not (tmp_path / "manifest.json").exists()
    with workspace(tmp_path, "same") as space:
        assert space.log == log
        space.finish({}, log)
    assert {path.name for path in tmp_path.iterdir()} == OUTPUTS


def test_a_preemption_remembers_until_it_is_asked():
    before = signal.getsignal(signal.SIGTERM)
    preemption = Preemption()
    preemption.begin()
    assert not preemption.requested and not preemption.due(0) and not preemption.due(10)
    os.kill(os.getpid(), signal.SIGTERM)
    assert preemption.requested
    time.sleep(0.02)
    assert preemption.due(0.01 / 60) and not preemption.due(10)
    preemption.begin()
    assert preemption.requested
    preemption.end(done=True)
    assert signal.getsignal(signal.SIGTERM) == before
