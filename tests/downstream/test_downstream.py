"""Both steps as they are, on a tiny model and without a network."""

import json
import shutil
import socket
from pathlib import Path
from types import SimpleNamespace

import datasets
import lm_eval.tasks
import polars as pl
import pytest
import torch
from huggingface_hub import HfApi
from lm_eval.api.model import LM
from transformers import AutoModelForCausalLM, AutoTokenizer

from overtaken import assert_overtaken_changes_nothing
from valuedrift.config.downstream import DownstreamConfig, DownstreamDataJob, DownstreamJob, TaskData
from valuedrift.config.miniature import MiniatureConfig
from valuedrift.downstream import data, evaluate
from valuedrift.errors import UserError
from valuedrift.io.tables import DOWNSTREAM, DOWNSTREAM_QUESTIONS
from valuedrift.miniature import benchmark
from valuedrift.train.model import CHAT_TEMPLATE

OWN = str(Path(__file__).parents[2] / "config" / "tasks")
LM_EVAL = Path(lm_eval.tasks.__file__).parent


@pytest.fixture(autouse=True)
def no_network(monkeypatch):
    def refuse(*_):
        raise AssertionError("a test must not use the network")

    monkeypatch.setattr(socket.socket, "connect", refuse)


@pytest.fixture(scope="module")
def questions(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("benchmark") / "benchmark.jsonl"
    benchmark.run(config=MiniatureConfig(folder="."), output=path)
    return path


def fetch(folder, tasks, include=OWN, **revisions):
    """Run the data step for `tasks`, key → (lm-eval's name, file or None)."""
    named = {key: TaskData(task=task, data=file and str(file)) for key, (task, file) in tasks.items()}
    data.run(config=DownstreamDataJob(tasks=named, include=include, revisions=revisions), output=folder)
    return folder


def evaluated(run_folder, data_folder, output, tasks, include=OWN, **settings):
    """Run the evaluate step and return its table; `settings` are those of DownstreamConfig."""
    downstream = DownstreamConfig(tasks=tasks, include=include, **settings)
    job = DownstreamJob(run="mini/base", dtype="float32", trust_remote_code=False, downstream=downstream)
    evaluate.run(
        config=job,
        manifest=run_folder / "manifest.json",
        data=data_folder,
        output=output,
        questions=output.with_suffix(".questions"),
    )
    return DOWNSTREAM.read(output)


@pytest.fixture(scope="module")
def fetched(questions, tmp_path_factory):
    folder = tmp_path_factory.mktemp("downstream") / "data"
    return fetch(folder, {"plain": ("miniature_answers", questions), "shown": ("miniature_answers", questions)})


TASKS = {
    "plain": {"task": "miniature_answers", "metric": "acc", "shots": 0, "limit": 12},
    "shown": {"task": "miniature_answers", "metric": "acc_norm", "shots": 5, "limit": 12},
}


def test_a_job_on_a_lost_node_does_not_replace_the_scores_of_a_later_one(tiny_base, fetched, tmp_path, monkeypatch):
    output, tasks = tmp_path / "a.parquet", {"plain": TASKS["plain"] | {"limit": 2}}
    assert_overtaken_changes_nothing(
        monkeypatch, evaluate, "_evaluate", lambda: evaluated(tiny_base, fetched, output, tasks), output
    )


def test_the_accuracy_is_that_of_the_models_own_log_likelihoods(tiny_base, fetched, questions, tmp_path):
    table = evaluated(tiny_base, fetched, tmp_path / "a.parquet", TASKS)
    model, tokenizer = (auto.from_pretrained(tiny_base / "final") for auto in (AutoModelForCausalLM, AutoTokenizer))
    right = []
    for row in [json.loads(line) for line in questions.read_text().splitlines()[:12]]:
        prompt = tokenizer(f"{row['question']}\nResponse:")["input_ids"]
        likelihoods = []
        for choice in row["choices"]:
            answer = tokenizer(f" {choice}")["input_ids"]
            with torch.inference_mode():
                logits = model(torch.tensor([prompt + answer])).logits[0, len(prompt) - 1 : -1].log_softmax(-1)
            likelihoods.append(logits[range(len(answer)), answer].sum().item())
        right.append(likelihoods.index(max(likelihoods)) == row["answer"])
    assert 0 < sum(right) < 12
    plain = table.row(by_predicate=pl.col("task") == "plain", named=True)
    assert plain["value"] == pytest.approx(sum(right) / 12) and plain["n"] == 12 and plain["shots"] == 0
    each = DOWNSTREAM_QUESTIONS.read(tmp_path / "a.questions").filter(task="plain").sort("question")
    assert each["score"].to_list() == right and set(each["part"]) == {"miniature_answers"}
    assert plain["stderr"] == pytest.approx(pl.Series(right).cast(float).std() / 12**0.5)


def test_the_scores_are_reproducible_and_the_seed_draws_the_examples(tiny_base, fetched, tmp_path, monkeypatch):
    moved = shutil.copytree(fetched, tmp_path / "elsewhere")
    asked = []
    monkeypatch.setattr(evaluate, "_evaluate", lambda *a, score=evaluate._evaluate: asked.append(a[1]) or score(*a))
    evaluated(tiny_base, fetched, tmp_path / "a.parquet", TASKS)
    evaluated(tiny_base, moved, tmp_path / "b.parquet", TASKS)
    evaluated(tiny_base, fetched, tmp_path / "c.parquet", TASKS, seed=1)
    assert (tmp_path / "a.parquet").read_bytes() == (tmp_path / "b.parquet").read_bytes()
    first, again, other = ([i.args[0] for i in loaded["tasks"]["miniature_answers"].instances] for loaded in asked[1::2])
    assert first == again != other
    assert all(prompt.count("Response:") == 6 for prompt in first)
    assert all(prompt.split("\n")[-2] not in prompt.split("\n")[:-2] for prompt in first)  # no question is its own example


def test_only_models_trained_with_a_chat_template_are_asked_through_it(tiny_base, fetched, tmp_path, monkeypatch):
    asked = []
    monkeypatch.setattr(evaluate, "_evaluate", lambda *a, score=evaluate._evaluate: asked.append(a[1]) or score(*a))
    trained = shutil.copytree(tiny_base, tmp_path / "run")
    tokenizer = AutoTokenizer.from_pretrained(trained / "final")
    tokenizer.chat_template = CHAT_TEMPLATE
    tokenizer.save_pretrained(trained / "final")
    tasks = {"shown": {**TASKS["shown"], "limit": 1}}
    for chat in (False, True):
        manifest = json.loads((tiny_base / "manifest.json").read_text())
        (trained / "manifest.json").write_text(json.dumps({**manifest, "chat": chat}))
        evaluated(trained, fetched, tmp_path / "a.parquet", tasks, chat=True)
    plain, turns = (loaded["tasks"]["miniature_answers"].instances[0].args[0] for loaded in asked)
    assert "User:" not in plain and plain.endswith("Response:")
    assert turns.count("User: ") == 6 and turns.count("<|endoftext|>") == 5 and turns.endswith("\nAssistant:")


class KnowsAll(LM):
    """A double of a model to which the choice named "right" is likely, whether a prompt gives its text or its letter."""

    def loglikelihood(self, requests):
        return [(float(self.is_right(*request.args)), True) for request in requests]

    def is_right(self, prompt, choice):
        question = prompt.split("\n\n")[-1]
        return "right" in choice or f"{choice.strip()} right" in question or f"{choice.strip()}. right" in question

    def loglikelihood_rolling(self, requests):
        raise NotImplementedError

    def generate_until(self, requests):
        raise NotImplementedError


# The paper's benchmarks by lm-eval's folder: task, metric, a function from a number to a row in the dataset's schema, hub name.
PAPER = {
    "mmlu": ("mmlu", "acc", lambda i: {"question": f"q {i}", "choices": [f"{'right' if c == i % 4 else 'wrong'} {c}" for c in range(4)], "answer": i % 4}, "cais/mmlu"),
    "hellaswag": ("hellaswag", "acc_norm", lambda i: {"activity_label": "x", "ctx_a": f"q {i}", "ctx_b": "he", "endings": ["right" if c == i % 4 else "wrong" for c in range(4)], "label": str(i % 4)}, "Rowan/hellaswag"),
    "gpqa": ("gpqa_diamond_n_shot", "acc", lambda i: {"Question": f"q {i}", "Correct Answer": "right", **{f"Incorrect Answer {c}": f"wrong {c}" for c in (1, 2, 3)}}, "Idavidrein/gpqa"),
    "piqa": ("piqa", "acc_norm", lambda i: {"goal": f"q {i}", "sol1": "wrong" if i % 2 else "right", "sol2": "right" if i % 2 else "wrong", "label": i % 2}, "baber/piqa"),
}  # fmt: skip


@pytest.mark.parametrize("folder", PAPER)
def test_a_model_that_knows_all_scores_1_on_the_papers_benchmarks(folder, tmp_path, tiny_base, monkeypatch):
    task, metric, row, hub = PAPER[folder]
    rows = tmp_path / "rows.jsonl"
    many = 7 if folder == "mmlu" else 40  # MMLU has 57 tasks
    rows.write_text("".join(f"{json.dumps(row(i))}\n" for i in range(many)))
    include = str(LM_EVAL / folder)
    fetch(tmp_path / "data", {"key": (task, rows)}, include)
    asked = [record["asked"][0] for record in json.loads((tmp_path / "data" / "datasets.json").read_text())["key"]]
    assert asked == [hub] * (57 if folder == "mmlu" else 1)
    monkeypatch.setattr(evaluate, "_model", lambda *_: KnowsAll())
    tasks = {"key": {"task": task, "metric": metric, "shots": 5}}
    table = evaluated(tiny_base, tmp_path / "data", tmp_path / "a.parquet", tasks, include)
    assert table.row(0, named=True) == {
        "run": "mini/base", "task": "key", "metric": metric, "shots": 5, "value": 1.0, "stderr": 0.0, "n": many * len(asked)
    }  # fmt: skip
    each = DOWNSTREAM_QUESTIONS.read(tmp_path / "a.questions")
    assert each.height == many * len(asked) and each["part"].n_unique() == len(asked) and set(each["score"]) == {1.0}


def test_a_metric_that_is_no_mean_of_questions_has_none(tmp_path):
    def given(scores):
        samples = [{"doc_id": n, "filter": kind, "acc": s} for n, s in enumerate(scores) for kind in ("none", "strict")]
        return {"results": {"t": {"acc,none": 0.5}}, "samples": {"t": samples}}

    assert len(evaluate.question_scores(given([1, 0]), "t", "acc", 0.5)) == 2
    for scores in ([1, 1, 0], [], [(-3.5, 7), (-1.5, 4)]):  # a mean over parts of other sizes; nothing; likelihood and length
        assert evaluate.question_scores(given(scores), "t", "acc", 0.5) == []


def test_gpqas_choices_are_shuffled_once_and_no_question_is_its_own_example(tmp_path):
    from valuedrift.downstream.store import stored
    from valuedrift.downstream.tasks import datasets_from, prepare_once, task_manager

    rows = tmp_path / "rows.jsonl"
    rows.write_text("".join(f"{json.dumps(PAPER['gpqa'][2](i))}\n" for i in range(40)))
    include = str(LM_EVAL / "gpqa")
    fetch(tmp_path / "data", {"gpqa": ("gpqa_diamond_n_shot", rows)}, include)
    with datasets_from(stored(tmp_path / "data", "gpqa")):
        task = task_manager(["gpqa_diamond_n_shot"], include).load(["gpqa_diamond_n_shot"])["tasks"]["gpqa_diamond_n_shot"]
    assert task.eval_docs["answer"] != task.eval_docs["answer"], "lm-eval has fixed this: remove `prepare_once`"
    prepare_once(task)
    assert list(task.eval_docs) == list(task.eval_docs) == task.sampler.df


def test_fetching_twice_writes_the_same_bytes(fetched, questions, tmp_path):
    fetch(tmp_path / "data", {"plain": ("miniature_answers", questions), "shown": ("miniature_answers", questions)})
    files = [path.relative_to(fetched) for path in sorted(fetched.rglob("*")) if path.is_file()]
    assert len(files) == 9
    assert all((tmp_path / "data" / path).read_bytes() == (fetched / path).read_bytes() for path in files)


def test_a_dataset_of_the_hub_is_fetched_at_one_commit_which_is_recorded(tmp_path, monkeypatch):
    loaded = []
    rows = datasets.DatasetDict(
        {s: datasets.Dataset.from_list([PAPER["piqa"][2](i) for i in range(3)]) for s in ("train", "validation")}
    )
    monkeypatch.setattr(HfApi, "dataset_info", lambda _, path, revision: SimpleNamespace(sha=revision or "newest"))
    monkeypatch.setattr(data, "load_dataset", lambda path, name, **options: loaded.append((path, name, options)) or rows)
    for revisions, commit in (({}, "newest"), ({"baber/piqa": "abc"}, "abc")):
        fetch(tmp_path / "data", {"piqa": ("piqa", None)}, str(LM_EVAL / "piqa"), **revisions)
        [record] = json.loads((tmp_path / "data" / "datasets.json").read_text())["piqa"]
        assert loaded.pop() == ("baber/piqa", None, {"revision": commit})
        assert record["commit"] == commit and record["splits"]["validation"]["rows"] == 3
    with pytest.raises(UserError, match="the task does not read other/set; it reads baber/piqa"):
        fetch(tmp_path / "data", {"piqa": ("piqa", None)}, str(LM_EVAL / "piqa"), **{"other/set": "abc"})


def test_a_gated_or_missing_dataset_says_what_to_do(tmp_path, monkeypatch):
    monkeypatch.setattr(HfApi, "dataset_info", lambda _, path, revision: SimpleNamespace(sha="abc"))

    def refuse(path, name, **options):
        raise datasets.exceptions.DatasetNotFoundError(said)

    monkeypatch.setattr(data, "load_dataset", refuse)
    said = "Dataset 'Idavidrein/gpqa' is a gated dataset on the Hub. You must be authenticated to access it."
    with pytest.raises(
        UserError, match=r"accept its terms at https://huggingface.co/datasets/Idavidrein/gpqa, then run `hf auth login`"
    ):
        fetch(tmp_path / "data", {"gpqa": ("gpqa_diamond_n_shot", None)}, str(LM_EVAL / "gpqa"))
    said = "Dataset doesn't exist\non the Hub or cannot be accessed"
    with pytest.raises(UserError, match="baber/piqa cannot be downloaded from the hub: Dataset doesn't exist on the Hub"):
        fetch(tmp_path / "data", {"piqa": ("piqa", None)}, str(LM_EVAL / "piqa"))
    assert not (tmp_path / "data").exists()


@pytest.mark.parametrize(
    ("change", "message"),
    [({"metric": "f1"}, "f1 is not a metric of miniature_answers; its metrics are: acc, acc_norm"),
     ({"shots": 110}, "miniature_answers has 110 rows for examples, too few for 110 shots")],
)  # fmt: skip
def test_an_unknown_metric_or_too_many_shots_are_an_error(change, message, tiny_base, fetched, tmp_path):
    with pytest.raises(UserError, match=message):
        evaluated(tiny_base, fetched, tmp_path / "a.parquet", {"plain": {**TASKS["plain"], **change}})


def test_shots_for_a_task_without_examples_are_an_error():
    part = SimpleNamespace(get_config={"num_fewshot": 0}.get)
    with pytest.raises(UserError, match="gpqa_diamond_zeroshot takes no examples: set `shots: 0`"):
        evaluate.set_shots(part, "gpqa_diamond_zeroshot", 5)


def test_missing_data_is_an_error_with_the_command(tiny_base, fetched, tmp_path):
    with pytest.raises(UserError, match=r"lacks json .* for other. Make it again with `snakemake .*data --force"):
        evaluated(tiny_base, fetched, tmp_path / "a.parquet", {"other": TASKS["plain"]})
    with pytest.raises(UserError, match=r"has no datasets.json. Make it with `snakemake .* --force"):
        evaluated(tiny_base, tmp_path, tmp_path / "a.parquet", {"plain": TASKS["plain"]})


def test_a_group_that_lm_eval_does_not_aggregate_is_an_error():
    with pytest.raises(UserError, match="acc is not a metric of gpqa; its metrics are: none, since lm-eval does not aggregate it"):
        evaluate.score({"results": {"gpqa_diamond_n_shot": {"acc,none": 1.0}}}, "gpqa", "gpqa", "acc")


def test_an_unknown_task_is_an_error_that_suggests_a_name(tmp_path):
    with pytest.raises(
        UserError, match=r"config: `downstream.tasks`: lm-eval does not know the task `helaswag`; did you mean `hellaswag`\?"
    ):
        fetch(tmp_path / "data", {"h": ("helaswag", None)}, include=None)


@pytest.mark.parametrize(("given", "stderr"), [(0.1, 0.1), ("N/A", None), (float("nan"), None), (float("inf"), None)])
def test_an_error_that_is_no_number_is_none(given, stderr):
    results = {"results": {"mmlu": {"acc,none": 0.5, "acc_stderr,none": given, "sample_len": 4}}}
    assert evaluate.score(results, "mmlu", "mmlu", "acc") == {"metric": "acc", "value": 0.5, "stderr": stderr, "n": 4}
