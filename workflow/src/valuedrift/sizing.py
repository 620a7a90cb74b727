"""What a job needs of a machine: GPUs, cores, memory and time, by one formula from the model's parameters and the data's size.

Of a model with P parameters of b bytes:

- **Width d and layers L** follow from P: 12 L d^2 = P with L = d / 120, about as in Llama 3 (d / L = 110 and 128) and Qwen3 (71
  and 114), so d = (10 P)^(1/3).
- **State**: a model that is trained takes 4 b P bytes (weights, gradients, AdamW's two moments), in float32 wherever several GPUs
  share it; with adapters of rank r, b P and 16 bytes for each of 19 r d L adapter weights, on every GPU. A model that is only
  read takes b P. SFT, SimPO and a reward model train one model; DPO also reads its reference; PPO trains policy and value, and
  reads reference and reward model. n GPUs share the state.
- **Activations** of the t tokens that a GPU holds at once (its rows x the longest sequence), which GPUs do not share: 34 t d
  bytes in each layer (Korthikanti et al. 2022, with attention that keeps no scores), twice that in float32 without a GPU; with
  gradient checkpointing 2 t d in each layer and 34 t d once. The logits of a vocabulary V take 12 t V beside: float32, softmax
  and gradient.
- **GPUs**: the smallest power of two for which whole rows come on each GPU and 1.1 (state / n + activations) + 2 GiB fit into
  `cluster.gpu_memory`; at most `cluster.gpus`. Where that is too few the job gets the most, and `Need.lacking_gib` says what is
  missing. Engines and judges in transformers take one GPU, those in vLLM `tensor_parallel`, a chat's server what its command
  says.
- **Memory** of the host: 2 GiB and the weights that it loads for each process, the weights once more for saving, the tables three
  times; without GPUs also what a GPU would have held.
- **Time**: 6 s for imports (on the miniature), the weights at 0.5 GiB/s (assumed), and tokens x seconds a token / n by the table
  of speeds. Tokens are counted from the data where they lie here, 4 characters each, else from the config. SFT, reward model, DPO
  and SimPO train on every sequence once an epoch, and DPO's reference reads them once. PPO samples a response to each prompt,
  reads prompt and response with its four models and trains two on them `ppo_epochs` times; sampling a batch lasts as long as its
  longest response, taken as twice the mean. Gradient checkpointing adds a third to training.

docs/sizing.md works it through for the paper's models.
"""

import math
import re
from collections.abc import Callable, Hashable, Iterable
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

from valuedrift.config.chat import ChatConfig
from valuedrift.config.judging import JudgeConfig
from valuedrift.config.prompts import EmbeddingConfig
from valuedrift.config.training import PpoConfig, TrainingConfig
from valuedrift.footprint import BYTES, CONTEXT_GIB, GIB, Shape, on_gpu
from valuedrift.frames import GENERATIONS
from valuedrift.judge_prompt import orders
from valuedrift.lengths import Lengths
from valuedrift.lineage import Run
from valuedrift.model_size import in_folder, in_name, of_tiny, vocabulary
from valuedrift.speeds import Speeds
from valuedrift.study import Study
from valuedrift.workload import ASSUMED, AT_MOST, NOTHING, QUESTION, Amount, Workload

READ, PAIRS = {"dpo": 1, "ppo": 2}, {"reward", "dpo", "simpo"}
"""Models that an algorithm reads beside those that it trains, and the algorithms whose rows are two sequences."""
IMPORTS, LOADED, PROCESS_GIB = 6.0, 0.5 * GIB, 2.0
"""Seconds, bytes a second, and GiB of a process that has imported torch, transformers and TRL (1.2 on the miniature)."""
SMALL = 50e6
"""Weights below which one core is as fast as many: two threads took the miniature 12 times as long when both cores were busy."""
FLOOR_MINUTES, LATE = 20, 2
"""A job's time limit: so many minutes, and so many times as long as is expected."""
TEXTS = Amount(10_000, ASSUMED)
"""Raw prompts where none are there yet; PRISM has 8,011 conversations."""
QUESTIONS = {"mmlu": 14_042, "hellaswag": 10_042, "piqa": 1_838, "gpqa_diamond": 198}
CHOICES, EXAMPLE = 4, 100
"""Answers to each question of a benchmark, each read by itself, and tokens of a question or example."""
SPLIT = re.compile(r"--?(?:tensor-parallel-size|tp-size|tp)[= ](\d+)")
ROW_BYTES = 4096
"""Of a dataset's row, where it is not here yet."""
INSTRUCTED = 200
"""Tokens of a question to a chat model, its instruction among them, where nothing tells."""
HEARD = 1.0
"""Seconds that a service takes to answer (assumed)."""


@dataclass(frozen=True)
class Need:
    """What one job needs."""

    gpus: int
    threads: int
    memory_gib: float
    """Of the host."""
    seconds: Amount
    """Expected wall time on those GPUs."""
    disk_bytes: Amount = NOTHING
    """What it leaves behind."""
    lacking_gib: float = 0.0
    """What each GPU lacks; 0 where the job fits."""

    def megabytes(self, attempt: int) -> int:
        """Memory to ask for (MiB); an attempt that ran out of it is followed by one with as much again."""
        return attempt * math.ceil(self.memory_gib * 1024)

    def minutes(self, attempt: int) -> int:
        """Time to ask for, which grows likewise."""
        return attempt * (FLOOR_MINUTES + math.ceil(LATE * self.seconds.value / 60))


class Sizing:
    """Needs of a study's jobs; `gpus` is the most that one gets, by default as the config says."""

    def __init__(self, study: Study, gpus: int | None = None) -> None:
        self.study, self.config, self.cluster = study, study.config, study.config.cluster
        self.most = self.cluster.gpus if gpus is None else min(gpus, self.cluster.gpus)
        self.work, self.speeds = Workload(study), Speeds(self.cluster.speeds)
        self.speeds.check({"cpu", self.cluster.device})
        self.lengths, self.size = Lengths(self.work), cache(self._size)
        self._known: dict[Hashable, Need] = {}

    # --- the jobs ---

    def base(self, run: Run) -> Need:
        """Linking and hashing a base model or somebody's checkpoints, or drawing a base model's weights."""
        shape, read = self._of_model(run.model), self.work.checkpoints(run).value
        drawn = self.study.models[run.model].weights == "random"
        disk = self._weights(run.model) if drawn else NOTHING
        return Need(0, 1, PROCESS_GIB + 2 * shape.weights / GIB * drawn, self._start(read * shape.weights), disk)

    def training(self, run: Run) -> Need:
        """Training of a run."""
        assert run.training
        training = run.training
        return self._once(("training", run.id), lambda: self._training(run.algorithm, run, training, self.work.checkpoints(run)))

    def reward(self, name: str) -> Need:
        """Training of a reward model."""
        run = self.study.rewards[name]
        return self._once(("reward", name), lambda: self._training("reward", run, self.config.training.reward, Amount(1)))

    def generation(self, run: Run) -> Need:
        """Sampling the responses of a run's checkpoints."""
        return self._once(("generation", run.id), lambda: self._generation(run))

    def stances(self, run: Run, judge: str) -> Need:
        """Judging a run's responses."""
        return self._once(("stances", run.id, judge), lambda: self._stances(run, self.config.judges[judge]))

    def downstream(self, run: Run, task: str) -> Need:
        """One benchmark of a run's final model."""
        return self._once(("downstream", run.id, task), lambda: self._downstream(run, task))

    def dataset(self, name: str) -> Need:
        """Reading a dataset into its table."""
        block = self.config.datasets[name]
        place = Path(self.study.dataset_at(block.path, block.revision))
        files = [place] if place.is_file() else [file for file in place.rglob("*") if file.is_file()]
        size = sum(file.stat().st_size for file in files) or self.lengths.rows(name).value * ROW_BYTES
        return self.tables(NOTHING, size / 2**20)

    def lacking(self, runs: Iterable[Run], rewards: Iterable[str]) -> list[str]:
        """What to do about trainings that do not fit the GPUs, a line for each kind of them."""
        needs = [(str(run.algorithm), run.id, self.training(run)) for run in runs]
        needs += [("reward", f"the reward model {name}", self.reward(name)) for name in rewards]
        worst = {kind: (name, need) for kind, name, need in sorted(needs, key=lambda one: one[2].lacking_gib) if need.lacking_gib}
        return [
            f"{name} lacks about {need.lacking_gib:.0f} GiB on each of {need.gpus} GPUs, the most of its kind: lower"
            f" `training.{kind}.device_batch_size`, set `gradient_checkpointing: true`, or give `cluster` larger or more GPUs"
            for kind, (name, need) in worst.items()
        ]

    def asking(self, chat: str, calls: Amount = TEXTS) -> Need:
        """A step that asks a chat model so often, and serves it where the config says so."""
        return self._asking(self.config.chats[chat], calls, Amount(INSTRUCTED, ASSUMED), self.config.chats[chat].max_tokens)

    def embedding(self, encoder: EmbeddingConfig, texts: Amount = TEXTS) -> Need:
        """Embedding texts, on the CPU: a GPU would wait for its start-up longer than for the texts."""
        parameters = self.size(encoder.model, encoder.revision, None)
        token = self.speeds.seconds_per_token("cpu", "read", "float32", parameters.value)
        threads = self._threads(parameters.value, 0)
        seconds = Amount(IMPORTS) + texts * (QUESTION / 4) * token * (1 / threads)
        return Need(0, threads, PROCESS_GIB + 8 * texts.value * 1024 * 4 / GIB, seconds, texts * 4096)

    def search(self) -> Need:
        """Embedding the prompts of the sets among which synthetic preferences look for theirs."""
        synthetic = self.config.synthetic
        assert synthetic
        return self.embedding(synthetic.embedding, sum(map(self.lengths.rows, synthetic.sources), NOTHING))

    def tables(self, texts: Amount = TEXTS, megabytes: float = 0.0) -> Need:
        """A step on the CPU over so many texts, or over so many megabytes of files."""
        seconds = Amount(2 * IMPORTS) + texts * 0.01 + Amount(megabytes / 5, ASSUMED)
        return Need(0, 1, PROCESS_GIB + texts.value * 1e-4 + megabytes * 10 / 1024, seconds)

    # --- models ---

    def parameters(self, model: str) -> Amount:
        """Weights of a model of the study: counted in its files, told by the config, or guessed."""
        block = self.study.models[model]
        return self.size(block.path, block.revision, block.parameters)

    def _size(self, path: str, revision: str | None, told: float | None) -> Amount:
        folder, world = self.study.model_at(path, revision), self.config.miniature
        if counted := in_folder(Path(folder)):
            return counted
        if told:
            return Amount(told)
        if world and self.study.is_made(folder):
            return of_tiny(world.judge if Path(folder).name == "judge" else world.base, world.vocabulary)
        return in_name(path)

    def _shape(self, path: str, revision: str | None, dtype: str, told: float | None = None) -> Shape:
        words = self.config.miniature.vocabulary if self.config.miniature else vocabulary(Path(self.study.model_at(path, revision)))
        return Shape(self.size(path, revision, told).value, BYTES[dtype], words)

    def _of_model(self, model: str) -> Shape:
        block = self.study.models[model]
        return self._shape(block.path, block.revision, block.dtype, block.parameters)

    def _weights(self, model: str) -> Amount:
        return self.parameters(model) * BYTES[self.study.models[model].dtype]

    # --- training ---

    def _training(self, algorithm: str, run: Run, training: TrainingConfig, saved: Amount) -> Need:
        shape, rank = self._of_model(run.model), training.lora.rank if training.lora else None
        read = 0 if algorithm == "dpo" and rank else READ.get(algorithm, 0)
        sequences = 2 if algorithm in PAIRS else 1

        def held(gpus: int) -> float:
            shared = shape.trained(gpus > 1, rank) + read * shape.weights
            # PPO's value model is trained as a whole.
            shared += shape.trained(gpus > 1, None) if algorithm == "ppo" else 0
            share = _minibatch(training) / max(1, gpus)
            tokens = min(training.device_batch_size or share, share) * sequences * training.max_length
            own = shape.activations(tokens, training.gradient_checkpointing, gpus > 0, logits=algorithm != "reward")
            # With adapters every GPU holds all: gradients and moments are small.
            return on_gpu(0, shared + own, 1) if rank else on_gpu(shared, own, max(1, gpus))

        gpus, lacking = self._fewest(held, lambda n: _minibatch(training) % n == 0)
        models = 1 + read + (algorithm == "ppo")
        host = max(1, gpus) * (PROCESS_GIB + models * shape.weights / GIB) + shape.weights / GIB
        host += 3 * self._table_gib(str(run.dataset)) + (0 if gpus else held(0) - CONTEXT_GIB)
        seconds = self._start(models * shape.weights) + self._trained(algorithm, run, training, max(1, gpus))
        return Need(gpus, self._threads(shape.parameters, gpus), host, seconds, saved * self._weights(run.model), lacking)

    def _trained(self, algorithm: str, run: Run, training: TrainingConfig, gpus: int) -> Amount:
        """Seconds of the training itself."""
        rows, length = self.lengths.rows(str(run.dataset)), self.lengths.of(str(run.dataset))
        passed, parameters = rows * training.epochs, self.parameters(run.model).value

        def took(tokens: Amount, work: str) -> Amount:
            # On GPUs trainings compute in bfloat16, whatever the weights are kept in.
            return tokens * self._token(work, "bfloat16", parameters) * (1 / gpus)

        slower = 4 / 3 if training.gradient_checkpointing else 1.0
        if isinstance(training, PpoConfig):
            drawn, answer = (Amount(min(n * length.answer.value, training.max_response), ASSUMED) for n in (2, 1))
            whole = length.prompt + answer
            return (
                took(passed * drawn, "sample")
                + took(passed * whole * 4, "read")
                + took(passed * whole * (2 * training.ppo_epochs * slower), "train")
            )
        whole = Amount(min(length.whole.value, training.max_length), ASSUMED) * (2 if algorithm in PAIRS else 1)
        reference = took(rows * whole, "read") if algorithm == "dpo" else NOTHING
        return took(passed * whole * slower, "train") + reference

    # --- measuring ---

    def _generation(self, run: Run) -> Need:
        block, settings, shape = self.config.generation, self.study.models[run.model], self._of_model(run.model)
        checkpoints, responses, answer = self.work.checkpoints(run), self._responses(run), self._answer(run)
        vllm = "_vllm" if block.engine == "vllm" else ""
        gpus, lacking = self._engine(
            shape,
            block.vllm.tensor_parallel if vllm else 1,
            0 if vllm else block.batch_size * (QUESTION / 4 + block.max_new_tokens),
        )
        tokens = responses * answer
        seconds = self._start(shape.weights) + checkpoints * (shape.weights / LOADED) + (
            tokens * self._token(f"sample{vllm}", settings.dtype, shape.parameters)
            + responses * (QUESTION / 4) * self._token(f"read{vllm}", settings.dtype, shape.parameters)
        ) * (1 / max(1, gpus))  # fmt: skip
        return self._reading(shape, gpus, lacking, seconds, tokens * 2)

    def _responses(self, run: Run) -> Amount:
        """Responses that are sampled of a run."""
        most = Amount(self.config.prompts.per_category * len(self.study.categories), AT_MOST)
        prompts = most if self.work.prompts is None else Amount(self.work.prompts.height)
        return self.work.checkpoints(run) * prompts * self.config.generation.samples

    def _answer(self, run: Run) -> Amount:
        """Tokens of a response: as sampled, else as many as the answers of the set that the run learned from; a base model's do
        not end."""
        sampled, longest = self.work.folder / "runs" / run.id / "generations.parquet", self.config.generation.max_new_tokens
        if sampled.exists():
            return Amount(GENERATIONS.read(sampled)["n_tokens"].mean() or 0.0)  # type: ignore[arg-type]
        if run.dataset is None:
            return Amount(longest, AT_MOST)
        return Amount(min(self.lengths.of(run.dataset).answer.value, longest), ASSUMED)

    def _stances(self, run: Run, judge: JudgeConfig) -> Need:
        calls = self.work.responses(run, judge) * len(orders(judge.orders))
        if judge.backend == "function":
            return Need(0, 1, 1.0, Amount(1.0) + calls * Amount(1e-3, ASSUMED), calls * 50)
        if judge.chat:
            again = judge.samples if judge.reading == "sampling" else 1
            asked = self._asking(self.config.chats[judge.chat], calls * again, self.work.judge_tokens(run, judge), 1)
            return replace(asked, disk_bytes=calls * 50)
        assert judge.path
        shape, vllm = self._shape(judge.path, judge.revision, judge.dtype), judge.backend == "vllm"
        length = self.work.judge_tokens(run, judge)
        gpus, lacking = self._engine(
            shape, judge.vllm.tensor_parallel if vllm else 1, 0 if vllm else judge.batch_size * length.value
        )
        token = self._token("read_vllm" if vllm else "read", judge.dtype, shape.parameters) * (1 / max(1, gpus))
        return self._reading(shape, gpus, lacking, self._start(shape.weights) + calls * length * token, calls * 50)

    def _downstream(self, run: Run, task: str) -> Need:
        downstream, settings, shape = self.config.downstream, self.study.models[run.model], self._of_model(run.model)
        block, questions = downstream.tasks[task], QUESTIONS.get(task, TEXTS.value)
        if block.data and (data := Path(self.study.here(block.data))).is_file():
            questions = sum(1 for _ in data.open())
        sequence = (block.shots + 1) * EXAMPLE
        read = Amount(min(questions, block.limit or questions) * CHOICES * sequence, ASSUMED)
        gpus, lacking = self._engine(shape, 1, downstream.batch_size * sequence)
        seconds = self._start(shape.weights) + read * self._token("read", settings.dtype, shape.parameters)
        return self._reading(shape, gpus, lacking, seconds, Amount(4096))

    def _asking(self, chat: ChatConfig, calls: Amount, asked: Amount, tokens: int) -> Need:
        """So many calls of `asked` tokens, answered in at most `tokens`."""
        if chat.server is None:
            pace = 60 / chat.requests_per_minute if chat.requests_per_minute else HEARD / chat.concurrency
            return Need(0, 1, 1.0, Amount(86_400 if chat.batch else 0, AT_MOST) + calls * Amount(pace, ASSUMED))
        if not (wanted := served_gpus(chat)):
            return Need(0, 1, PROCESS_GIB, Amount(IMPORTS) + calls * Amount(0.01, ASSUMED))
        shape = self._shape(chat.model, chat.revision, "bfloat16")
        gpus, lacking = self._engine(shape, wanted, 0)
        read, sample = (self._token(f"{work}_vllm", "bfloat16", shape.parameters) for work in ("read", "sample"))
        seconds = calls * (asked * read + Amount(tokens, AT_MOST) * sample) * (1 / max(1, gpus))
        return self._reading(shape, gpus, lacking, self._start(2 * shape.weights) + seconds, calls * tokens * 4)

    # --- machines ---

    def _fewest(self, held: Callable[[int], float], whole: Callable[[int], bool]) -> tuple[int, float]:
        """The fewest GPUs on which what is held fits, and what is lacking on the most."""
        if not self.most:
            return 0, 0.0
        counts = [2**i for i in range(self.most.bit_length()) if whole(2**i)]
        fitting = next((n for n in counts if held(n) <= self.cluster.gpu_memory), None)
        return (fitting, 0.0) if fitting else (counts[-1], held(counts[-1]) - self.cluster.gpu_memory)

    def _engine(self, shape: Shape, gpus: int, tokens: float) -> tuple[int, float]:
        """GPUs of what only reads and samples, and what each lacks."""
        if not self.most:
            return 0, 0.0
        lacking = on_gpu(shape.weights, shape.cache(tokens), gpus) - self.cluster.gpu_memory
        if gpus > self.most:
            return self.most, max(lacking, on_gpu(shape.weights, 0, self.most) - self.cluster.gpu_memory, 0.0)
        return gpus, max(0.0, lacking)

    def _reading(self, shape: Shape, gpus: int, lacking: float, seconds: Amount, disk: Amount) -> Need:
        """Without a GPU the cache is small beside the weights, of which two copies may be there while they are loaded."""
        memory = max(1, gpus) * PROCESS_GIB + 2 * shape.weights / GIB
        return Need(gpus, self._threads(shape.parameters, gpus), memory, seconds, disk, lacking)

    def _threads(self, parameters: float, gpus: int) -> int:
        return max(1, gpus) * (self.cluster.cpus_per_gpu if parameters >= SMALL else 1)

    def _start(self, weights: float) -> Amount:
        return Amount(IMPORTS + weights / LOADED, ASSUMED)

    def _token(self, work: str, dtype: str, parameters: float) -> Amount:
        return self.speeds.seconds_per_token(self.cluster.device, work, dtype, parameters)

    def _table_gib(self, dataset: str) -> float:
        """A table in memory: four bytes a token."""
        return self.lengths.rows(dataset).value * self.lengths.of(dataset).whole.value * 4 / GIB

    def _once(self, key: Hashable, make: Callable[[], Need]) -> Need:
        if key not in self._known:
            self._known[key] = make()
        return self._known[key]


def served_gpus(chat: ChatConfig) -> int:
    """GPUs of a chat's server: what its command says, one where it is given a model's folder or is vLLM or SGLang, else none."""
    command = " ".join(chat.server or [])
    if found := SPLIT.search(command):
        return int(found[1])
    return int(chat.is_downloaded or "vllm" in command or "sglang" in command)


def _minibatch(training: TrainingConfig) -> int:
    """Rows that the GPUs share before each update."""
    return training.batch_size // (training.minibatches if isinstance(training, PpoConfig) else 1)
