"""Compare the study's PPO with TRL's trainer: reward, KL, losses, drift and time, from the same models and data, for each seed.

    OMP_NUM_THREADS=1 python benchmarks/ppo.py results/miniature [--run mini/alpaca/ppo-synthetic-support] [--seeds 0 1 2]

Both get the settings of the run in config/miniature.yaml. Held-out reward and KL are measured by the same code with the same random
numbers, and so is the stance: the shares of answers to the evaluation prompts that the grammar's parser classifies as supporting
and as malformed. Times are of the training alone, without loading, measuring and saving; on a machine with other load, processor
seconds are more reliable than wall-clock seconds.
"""

import argparse
import contextlib
import gc
import io
import logging
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import polars as pl
import torch
import transformers
import yaml
from datasets import Dataset
from trl.experimental.ppo import PPOConfig, PPOTrainer

from valuedrift.config.algorithms import PpoConfig
from valuedrift.config.load import load_study_config
from valuedrift.config.train import TrainingJob
from valuedrift.io.tables import PROMPTS
from valuedrift.miniature.oracle import judge
from valuedrift.study.jobs import Jobs
from valuedrift.study.study import Study
from valuedrift.train.fsdp import SamplingCopy
from valuedrift.train.model import load_model, load_scorer, load_tokenizer
from valuedrift.train.ppo.experience import Environment
from valuedrift.train.ppo.heldout import Heldout
from valuedrift.train.ppo.learner import Learner
from valuedrift.train.ppo.loop import Training
from valuedrift.train.ppo.rollout import sample
from valuedrift.train.ppo.step import prompt_tokens, steps_of

NAMES = {
    "objective/scores": "reward", "objective/kl": "kl", "loss/value_avg": "value_loss", "loss/policy_avg": "policy_loss",
}  # fmt: skip
COLUMNS = (
    "heldout_reward", "heldout_kl", "heldout_length", "support", "malformed", "reward", "kl", "value_loss", "policy_loss",
    "seconds/step", "CPU seconds/step",
)  # fmt: skip
STANCES = 4_000_001
"""Key of the random stream with which the evaluation prompts are answered."""


@dataclass
class Start:
    """The models and data that both trainings start from."""

    job: TrainingJob[PpoConfig]
    parent: Path
    reward: Path
    data: Path
    questions: pl.DataFrame
    tokenizer: Any = field(init=False)

    def __post_init__(self) -> None:
        self.tokenizer = load_tokenizer(self.parent, self.job.model)
        self.prompts = prompt_tokens(self.data, "train", self.tokenizer, self.job)[0]
        self.heldout = prompt_tokens(self.data, "validation", self.tokenizer, self.job)[0][: self.job.training.heldout]

    def model(self) -> Any:
        return load_model(self.parent, self.job.model)

    def scorer(self) -> Any:
        return load_scorer(self.reward, self.job.model, self.tokenizer.pad_token_id)

    def environment(self) -> Environment:
        return Environment(self.model(), self.scorer(), self.tokenizer.eos_token_id, self.job.training)


@dataclass
class Outcome:
    """A trained policy, its log by metric, and the wall-clock and processor seconds per step."""

    policy: Any
    log: dict[str, list[float]]
    clock: float
    processor: float


class NoWorkspace:
    """A test double of the workspace that saves nothing."""

    state = None

    def save(self, *_: Any) -> None:
        """Do nothing: saving is not measured."""


def main() -> None:
    """Print a row for each way and seed, and the means."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("results", type=Path, help="results folder of a finished miniature")
    parser.add_argument("--run", default="mini/alpaca/ppo-synthetic-support")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    given = parser.parse_args()
    logging.disable(logging.WARNING)
    transformers.utils.logging.disable_progress_bar()
    print(f"{given.run}; torch {torch.__version__}, {torch.get_num_threads()} threads")
    print(f"{'':6} {'seed':>4}" + "".join(f"{column:>{wide(column)}}" for column in COLUMNS))
    starts = [start_of(given.results, given.run, seed) for seed in given.seeds]
    show("before", "", measured(starts[0], starts[0].model()))
    found: dict[str, list[dict[str, float]]] = {way: [] for way in WAYS}
    for start in starts:
        for way, train in WAYS.items():
            transformers.set_seed(start.job.seed)
            outcome = train(start)
            found[way].append(measured(start, outcome.policy) | logged(outcome))
            show(way, str(start.job.seed), found[way][-1])
    for way, rows in found.items():
        show(way, "mean", pl.DataFrame(rows).mean().row(0, named=True))


def start_of(results: Path, run: str, seed: int) -> Start:
    """Return the run's job under another seed, with the inputs from the finished study."""
    study = Study(load_study_config(yaml.safe_load(Path("config/miniature.yaml").read_text())))
    job = TrainingJob[PpoConfig].model_validate_json(str(Jobs(study).training(run)[0])).model_copy(update={"seed": seed})
    found = study.runs[run]
    assert found.parent and found.reward
    return Start(
        job, results / "runs" / found.parent.id / "final", results / "rewards" / found.reward / "final",
        results / "data" / f"{found.dataset}.parquet", PROMPTS.read(results / "prompts" / "prompts.parquet"),
    )  # fmt: skip


def ours(start: Start) -> Outcome:
    """Run the study's training."""
    steps = steps_of(start.job.training, len(start.prompts))
    learner, environment = learner_of(start, start.model(), steps), start.environment()
    unmeasured = Heldout([], environment, start.job.run, start.job.seed)
    with timed() as clock:
        log = Training(start.job, start.prompts, learner, environment, unmeasured, steps).run(NoWorkspace(), start.tokenizer)
    metrics = {name: [row["value"] for row in log if row["metric"] == name] for name in NAMES.values()}
    return Outcome(learner.policy, metrics, *clock.per(steps))


def learner_of(start: Start, policy: Any, steps: int) -> Learner:
    """Return a learner of the policy with a new value model."""
    return Learner(policy, start.scorer(), SamplingCopy(policy, policy.device), start.job.training, steps)


def trl(start: Start) -> Outcome:
    """Run TRL's training, without saving, which fails in TRL."""
    training, policy = start.job.training, start.model()
    with tempfile.TemporaryDirectory() as folder:
        trainer = PPOTrainer(
            args=settings(start.job, folder), processing_class=start.tokenizer, model=policy, ref_model=start.model(),
            reward_model=start.scorer(), value_model=start.scorer(), train_dataset=Dataset.from_dict({"input_ids": start.prompts}),
            eval_dataset=Dataset.from_dict({"input_ids": start.prompts[:1]}),  # required by the trainer, not used
        )  # fmt: skip
        start.tokenizer.padding_side = "left"
        gc.freeze()  # the trainer collects garbage twice a step: 0.5 s of walking over imported modules
        with timed() as clock, contextlib.redirect_stdout(io.StringIO()):
            trainer.train()
    history = [row for row in trainer.state.log_history if "objective/kl" in row]
    assert len(history) == steps_of(training, len(start.prompts))
    return Outcome(policy, {ours: [row[name] for row in history] for name, ours in NAMES.items()}, *clock.per(len(history)))


def settings(job: TrainingJob[PpoConfig], folder: str) -> PPOConfig:
    """Return the run's settings as TRL's config."""
    training = job.training
    return PPOConfig(
        output_dir=folder, learning_rate=training.learning_rate, num_train_epochs=training.epochs,
        per_device_train_batch_size=training.batch_size, lr_scheduler_type=training.schedule, warmup_steps=training.warmup,
        num_ppo_epochs=training.ppo_epochs, num_mini_batches=training.minibatches, kl_coef=training.kl,
        response_length=training.max_response, temperature=training.temperature, missing_eos_penalty=training.eos_penalty,
        stop_token="eos", local_rollout_forward_batch_size=training.batch_size, num_sample_generations=0, save_strategy="no",
        logging_steps=1, report_to=[], disable_tqdm=True, seed=job.seed, use_cpu=True, bf16=False, gradient_checkpointing=False,
    )  # fmt: skip


class timed:
    """Measures wall-clock and processor seconds within the block."""

    def __enter__(self) -> "timed":
        self.start = time.perf_counter(), time.process_time()
        return self

    def __exit__(self, *_: object) -> None:
        self.seconds = time.perf_counter() - self.start[0], time.process_time() - self.start[1]

    def per(self, steps: int) -> tuple[float, float]:
        return self.seconds[0] / steps, self.seconds[1] / steps


def measured(start: Start, policy: Any) -> dict[str, float]:
    """Return held-out reward and KL, and shares of stances, of a policy."""
    policy.eval()
    learner = learner_of(start, policy, 1)
    rows = Heldout(start.heldout, start.environment(), start.job.run, 0)(policy, learner.logprobs, 0)
    questions = start.questions
    texts = [
        start.tokenizer.apply_chat_template([{"role": "user", "content": q}], tokenize=False, add_generation_prompt=True)
        for q in questions["question"]
    ] * 2
    tokens = start.tokenizer(texts, add_special_tokens=False)["input_ids"]
    found = sample(policy, tokens, (STANCES,), end=start.tokenizer.eos_token_id, temperature=1.0, limit=64, at_once=None).responses
    answers = start.tokenizer.batch_decode(found, skip_special_tokens=True)
    stances = [judge(*pair) for pair in zip([*questions["question"]] * 2, answers, [*questions["topic"]] * 2, strict=True)]
    stated = [stance for stance in stances if not isinstance(stance, str)]
    shares = {"support": sum(s[0] for s in stated) / len(stated), "malformed": 1 - len(stated) / len(stances)}
    return {row["metric"]: row["value"] for row in rows} | shares


def logged(outcome: Outcome) -> dict[str, float]:
    """Return means over the log's last quarter, which varies less than its last step."""
    last = {name: values[-max(1, len(values) // 4) :] for name, values in outcome.log.items()}
    return {name: sum(v) / len(v) for name, v in last.items()} | {
        "seconds/step": outcome.clock,
        "CPU seconds/step": outcome.processor,
    }


def wide(column: str) -> int:
    """Return the width of a column of the table, in characters."""
    return max(len(column), 6) + 2


def show(way: str, seed: str, values: dict[str, float]) -> None:
    """Print a row of the table."""
    cells = (f"{values[name]:{wide(name)}.3f}" if name in values else " " * wide(name) for name in COLUMNS)
    print(f"{way:6} {seed:>4}" + "".join(cells), flush=True)


WAYS = {"TRL": trl, "ours": ours}


if __name__ == "__main__":
    main()
