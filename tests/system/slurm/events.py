"""The failures while the study runs: a killed step, memory, a cancelled job, the time limit, Snakemake itself, a node."""

import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from through_profile import ClusterClone, Snakemake
from watch import Outputs, Step, Watch

from clone import Clone
from study import DPO, PPO, RESULTS, REWARD, SFT, TARGETS, study


@dataclass
class Event:
    """A failure, and the execution of a step that it ended."""

    lost: Step
    at: float
    over: float = 0.0
    """When the same step was done."""


@dataclass
class Story:
    clone: ClusterClone
    watch: Watch
    outputs: Outputs
    events: dict[str, Event] = field(default_factory=dict)
    waited: bool = False
    """True if SLURM's job was still there while its training saved its state."""
    kept: bool = False
    """True if that state was there when the job had ended."""
    planned: dict[str, dict[str, int]] = field(default_factory=dict)
    """What a dry run would do when the study is done: where its config and code are edited, and as it was started."""
    refusal: str = ""
    """What Snakemake printed when it was started while jobs of the one before ran."""
    seconds: float = 0.0

    def happened(self, what: str, lost: Step) -> None:
        self.events[what] = Event(lost, time.monotonic())

    def attempts(self, event: Event) -> list[Step]:
        """Return the executions of the event's step, in their order."""
        return self.watch.of(event.lost.stage, event.lost.step, event.lost.output)

    def lines(self) -> list[str]:
        """Return a line for each event, and one for the whole study."""
        found = []
        for what, event in self.events.items():
            step, ended = event.lost, self.clone.cluster.job_state(event.lost.job)
            found.append(f"{what}: {step.step} for {step.output}, job {step.job} {ended}, done {event.over - event.at:.0f} s later")
        return [*found, f"the whole study on the cluster: {self.seconds:.0f} s"]


def run_through_failures(clone: ClusterClone) -> Story:
    """Run the study to its end through all failures; return what happened."""
    begin = time.monotonic()
    with Watch(clone.folder) as watch, Outputs(clone.results) as outputs:
        story = Story(clone, watch, outputs)
        snakemake = clone.start()
        try:
            killed(story, snakemake)
            held = hold(story, snakemake)
            out_of_memory(story, snakemake)
            cancelled(story, snakemake)
            out_of_time(story, snakemake, held)
            snakemake = without_snakemake(story, snakemake)
            sampling = running(story, snakemake, "generate", "responses", f"{run_folder(DPO)}/generations.parquet")
            with edited(clone):
                node_lost(story, sampling)
                snakemake.finish()
                story.planned["edited"] = planned(clone, edited_study())
            story.planned["as started"] = planned(clone, study())
        finally:
            snakemake.kill()
    for event in story.events.values():
        event.over = story.attempts(event)[-1].last
    story.seconds = time.monotonic() - begin
    return story


def running(story: Story, snakemake: Snakemake, stage: str, step: str, output: str, attempt: int = 1) -> Step:
    """Return the n-th execution of a step, as soon as it runs."""

    def found() -> Step | None:
        executions = story.watch.of(stage, step, output)
        return executions[attempt - 1] if len(executions) >= attempt else None

    return snakemake.until(found, f"execution {attempt} of {step} for {output}")


def run_folder(run: str) -> str:
    return f"{RESULTS}/runs/{run}"


def unfinished(story: Story, run: str) -> Path:
    return story.clone.folder / run_folder(run) / ".unfinished"


def killed(story: Story, snakemake: Snakemake) -> None:
    """Send SIGKILL to the python of SFT."""
    step = running(story, snakemake, "train", "sft", run_folder(SFT))
    os.kill(step.pid, signal.SIGKILL)
    story.happened("SIGKILL", step)


def hold(story: Story, snakemake: Snakemake) -> Step:
    """Pause DPO in the middle, so that it takes long."""
    step = running(story, snakemake, "train", "dpo", run_folder(DPO))
    snakemake.until(lambda: list(unfinished(story, DPO).glob("trajectory/step-*")), "DPO has a checkpoint")
    os.kill(step.pid, signal.SIGSTOP)
    return step


def out_of_memory(story: Story, snakemake: Snakemake) -> None:
    """Wait for the reward model's first training, which takes more memory than its job asked for (greedy.py)."""
    story.happened("memory", running(story, snakemake, "train", "reward", REWARD))


def cancelled(story: Story, snakemake: Snakemake) -> None:
    """Cancel PPO's job by scancel."""
    step = running(story, snakemake, "train", "ppo", run_folder(PPO))
    story.clone.cluster.ask("scancel", step.job)
    story.happened("scancel", step)


def out_of_time(story: Story, snakemake: Snakemake, held: Step) -> None:
    """Let SLURM signal DPO ahead of its time limit; DPO needs seconds to save its state."""
    # Five minutes in all: what is left of them is less than the five by which the profile's signal comes ahead of the limit.
    story.clone.cluster.ask("scontrol", "update", f"JobId={held.job}", "TimeLimit=5")
    snakemake.until(lambda: state_of(held) != "T", "SLURM woke DPO by its signal")
    story.happened("time limit", held)
    for _ in range(50):
        if alive(held):
            os.kill(held.pid, signal.SIGSTOP)
        time.sleep(0.1)
    story.waited = story.clone.cluster.job_state(held.job) == "RUNNING"
    if alive(held):
        os.kill(held.pid, signal.SIGCONT)
    snakemake.until(lambda: not alive(held), "DPO stopped")
    story.kept = (unfinished(story, DPO) / "state").exists()


def without_snakemake(story: Story, snakemake: Snakemake) -> Snakemake:
    """Kill Snakemake while DPO goes on; start it again while its old jobs run, and again when they have ended."""
    step = running(story, snakemake, "train", "dpo", run_folder(DPO), attempt=2)
    os.kill(step.pid, signal.SIGSTOP)  # on a busy machine it would end before the second Snakemake looks
    snakemake.kill()
    story.happened("Snakemake killed", step)
    story.clone.unlock()
    second = story.clone.start()
    second.process.wait(120)
    story.refusal = second.printed
    os.kill(step.pid, signal.SIGCONT)
    story.clone.cluster.wait(lambda: not story.clone.cluster.ask("squeue", "--noheader"), "all jobs have ended", 300)
    return story.clone.start("--slurm-status-command", "squeue")  # the other way to ask for jobs


def edited_study() -> dict[str, Any]:
    """The study with a key edited, by which another judge is asked."""
    config = study()
    config["judges"]["mini-judge"]["prompt"] = "{prompt} {response} {topic} {options}"
    return config


@contextmanager
def edited(clone: Clone) -> Iterator[None]:
    """Edit the config, and the code of two steps so that it fails; undo that at the end."""
    files = [clone.folder / "workflow" / "src" / "valuedrift" / name for name in ("generate/responses.py", "drift/values.py")]
    before = [path.read_text() for path in files]
    clone.write(edited_study())
    for path, text in zip(files, before, strict=True):
        path.write_text(f"{text}\nraise AssertionError('edited after the study was started')\n")
    try:
        yield
    finally:
        for path, text in zip(files, before, strict=True):
            path.write_text(text)


def planned(clone: Clone, config: dict[str, Any]) -> dict[str, int]:
    """Rule -> number of jobs that would run, planned on this machine."""
    return Clone(clone.folder).planned(config, *TARGETS)


def node_lost(story: Story, step: Step) -> None:
    """Kill the node on which DPO's responses are sampled, with all that runs there."""
    story.happened("node lost", step)
    story.clone.cluster.lose(str(step.node))


def state_of(step: Step) -> str:
    """Return R, S, T, ... as in /proc; empty when the process is gone."""
    try:
        return Path(f"/proc/{step.pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return ""


def alive(step: Step) -> bool:
    return state_of(step) not in ("", "Z", "X")
