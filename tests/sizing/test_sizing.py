"""What jobs need, against numbers worked out by hand."""

from pathlib import Path

import numpy as np
import pytest
import yaml
from safetensors.numpy import save_file

from valuedrift.config.chat import ChatConfig
from valuedrift.config.load import load_study_config, merge
from valuedrift.errors import UserError
from valuedrift.sizing import Need, Sizing
from valuedrift.sizing.amount import Amount
from valuedrift.sizing.chat import asking, served_gpus
from valuedrift.sizing.gpu_memory import GIB
from valuedrift.sizing.parameters import DEFAULT_PARAMETERS, in_folder, in_name
from valuedrift.sizing.shortfalls import shortfalls
from valuedrift.study.study import Study

ROOT = Path(__file__).parents[2]
SPEEDS = """device,work,parameters,tokens_per_second,source,note
gpu,train,1e9,10000,measured,
gpu,read,1e9,30000,measured,
gpu,sample,1e9,1000,measured,
gpu,sample_vllm,1e9,8000,assumed,
cpu,train,1e6,5000,measured,
cpu,read,1e6,20000,measured,
cpu,sample,1e6,2000,measured,
"""
# P = 2.7e9: (10 P)^(1/3) = 3,000 wide, 25 layers, 10.8 GB in float32.
STUDY = {
    "study": "sized",
    "models": {"m": {"path": "some/model", "revision": "0" * 40, "parameters": 2.7e9}},
    "datasets": {
        "chats": {"format": "wildchat", "path": "some/chats", "revision": "0" * 40, "expected": {"train": 1000}},
        "pairs": {"format": "ultrafeedback", "path": "some/pairs", "revision": "0" * 40, "expected": {"train": 1000}},
        "gap": {"format": "hh_rlhf", "path": "some/gap", "revision": "0" * 40, "expected": {"train": 1000}},
    },
    "training": {
        "sft": {"epochs": 2, "batch_size": 32, "device_batch_size": 1, "max_length": 1000},
        "reward": {"epochs": 1, "batch_size": 32, "device_batch_size": 1, "max_length": 1000},
        "ppo": {"epochs": 1, "batch_size": 32, "device_batch_size": 1, "max_length": 1000, "max_response": 600, "ppo_epochs": 2},
        "dpo": {"epochs": 1, "batch_size": 32, "device_batch_size": 1, "max_length": 1000, "max_response": 600},
    },
    "runs": [
        {"parent": "m/base", "algorithm": "sft", "data": "chats"},
        {"parent": "m/chats", "algorithm": ["ppo", "dpo"], "data": "pairs"},
    ],
    "prompts": {"source": {"path": "some/prompts", "revision": "0" * 40}, "per_category": 10, "categories": {"A": {"topic": "a"}}},
    "generation": {"samples": 2, "max_new_tokens": 100, "batch_size": 20},
    "judges": {"judge": {"path": "some/judge-7B", "revision": "0" * 40, "dtype": "bfloat16"}},
    "cluster": {"device": "gpu", "gpus": 8, "gpu_memory": 80, "cpus_per_gpu": 8, "speeds": "speeds.csv"},
}  # fmt: skip


RUN, PPO, DPO = {"run": "m/chats"}, {"run": "m/chats/ppo-pairs"}, {"run": "m/chats/dpo-pairs"}
START = 6 + 10.8e9 / (0.5 * GIB)
"""Seconds of imports and of loading 10.8 GB."""


@pytest.fixture(autouse=True)
def elsewhere(tmp_path, monkeypatch):
    """A working directory with nothing but a table of speeds."""
    monkeypatch.chdir(tmp_path)
    Path("speeds.csv").write_text(SPEEDS)


def sizing(overlay=None, gpus=None):
    return Sizing(Study(load_study_config(merge(STUDY, overlay or {}))), gpus)


def training(run, overlay=None):
    """Return the need of a training, whose rule has the name of its algorithm."""
    found = sizing(overlay)
    return found.need(found.study.runs[run["run"]].algorithm, run)


def gpu_gib(gigabytes):
    """Return the GiB of a GPU that just holds this much: 10% for fragmentation, and 2 GiB of CUDA."""
    return {"cluster": {"gpu_memory": 1.1 * gigabytes * 1e9 / GIB + 2}}


# State 16 P = 43.2 GB; activations 34 * 1,000 * 3,000 * 25 = 2.55 GB; logits 12 * 1,000 * 150,000 = 1.8 GB.
@pytest.mark.parametrize(("memory", "gpus", "each"), [(80, 1, 43.2 + 4.35), (48, 2, 21.6 + 4.35), (24, 4, 10.8 + 4.35)])
def test_a_training_gets_the_fewest_gpus_that_hold_it(memory, gpus, each):
    assert 1.1 * each * 1e9 / GIB + 2 < memory
    need = training(RUN, {"cluster": {"gpu_memory": memory}})
    assert (need.gpus, need.threads, need.lacking_gib) == (gpus, 8 * gpus, 0)


def test_gpus_share_a_batch_in_whole_rows():
    assert training(RUN, {"cluster": {"gpu_memory": 10}, "training": {"sft": {"batch_size": 12}}}).gpus == 4


def test_checkpointing_and_adapters_take_less():
    # 2 * 1,000 * 3,000 * 25 + 34 * 1,000 * 3,000 = 0.252 GB in place of 2.55.
    tight = gpu_gib(43.2 + 1.8 + 0.26)
    assert training(RUN, tight).gpus == 2
    assert training(RUN, merge(tight, {"training": {"sft": {"gradient_checkpointing": True}}})).gpus == 1
    # 10.8 GB of weights and 16 * 19 * 16 * 3,000 * 25 = 0.36 GB.
    assert training(RUN, gpu_gib(10.8 + 0.37 + 4.35) | {"training": {"sft": {"lora": {}}}}).gpus == 1


# PPO: 2 * 43.2 + 2 * 10.8 GB, with 2 P = 5.4 GB for a copy to sample from; DPO: its reference is gathered.
@pytest.mark.parametrize(("run", "shared", "own"), [(PPO, 108, 4.35 + 5.4), (DPO, 54, 2 * 4.35 + 5.4)])
def test_gpus_that_share_hold_one_model_whole(run, shared, own):
    assert [training(run, gpu_gib(shared / 2 + own + more)).gpus for more in (0.01, -0.01)] == [2, 4]


def test_ppo_loads_one_model_after_another_and_gathers_its_state():
    # One GPU: 6 x 10.8 GB of state. On eight: two of 10.8 GB in each process, more than 6 x 10.8 GB.
    table = 3 * 1000 * 500 * 4 / GIB
    assert training(PPO, {"cluster": {"gpu_memory": 1000}}).memory_gib == pytest.approx(2 + 64.8e9 / GIB + table)
    need = training(PPO, {"cluster": {"gpu_memory": 30}})
    assert need.gpus == 8 and need.memory_gib == pytest.approx(16 + 16 * 10.8e9 / GIB + table)


def test_sft_takes_its_tokens_by_the_speed_of_its_gpus():
    # 1,000 rows * 2 epochs * 500 tokens at 10,000 / 2.7 a second.
    assert training(RUN).seconds == Amount(pytest.approx(START + 270), "~")
    assert training(RUN, {"cluster": {"gpu_memory": 48}}).seconds.value == pytest.approx(START + 135)
    checkpointing = {"training": {"sft": {"gradient_checkpointing": True}}}
    assert training(RUN, checkpointing).seconds.value == pytest.approx(START + 360)


def test_preference_optimization_reads_pairs_references_and_samples():
    roomy, load = {"cluster": {"gpu_memory": 1000}}, 10.8e9 / (0.5 * GIB)
    # A pair is two sequences of 170 + 330 tokens: trained on by both, read once by DPO's reference.
    assert sizing(roomy).need("reward", {"reward": "m/chats/pairs"}).seconds.value == pytest.approx(START + 270)
    assert training(DPO, roomy).seconds.value == pytest.approx(START + load + 270 + 90)
    # 500 tokens of each prompt read four times, trained on by two models in two passes.
    updated = 2000 / 30 + 2000 / 10
    # 1,000 / 32 batches of 600 tokens (twice 330 is more), each as long as one of 64 responses at once.
    sampled = 1000 / 32 * 600 * 64 / 1000
    assert training(PPO, roomy).seconds.value == pytest.approx(START + 3 * load + 2.7 * (sampled + updated))
    four = training(PPO, {"cluster": {"gpu_memory": 45}})
    assert four.gpus == 4 and four.seconds.value == pytest.approx(START + 3 * load + 2.7 * (sampled + updated / 4))
    # 8 on each GPU, 3 at once: three rounds.
    rounds = training(PPO, {"cluster": {"gpu_memory": 45}, "training": {"ppo": {"rollout_batch_size": 3}}})
    assert rounds.seconds.value == pytest.approx(START + 3 * load + 2.7 * (3 * sampled + updated / 4))
    # Without a GPU each token of each response takes its time.
    small = training(PPO, {"cluster": {"device": "cpu", "gpus": None}, "models": {"m": {"parameters": 1e6}}})
    assert small.seconds.value == pytest.approx(6 + 4 * 4e6 / (0.5 * GIB) + 600 * 1000 / 2000 + 2000 / 20 + 2000 / 5)


def test_the_texts_of_a_table_on_disk_are_counted(tmp_path):
    from valuedrift.io.tables import SFT_SET

    turns = [{"role": "user", "content": "x" * 400}, {"role": "assistant", "content": "y" * 3600}]
    path = tmp_path / "results" / "sized" / "data" / "chats.parquet"
    path.parent.mkdir(parents=True)
    SFT_SET.write(SFT_SET.frame([{"row": i, "split": "train", "messages": turns} for i in range(3000)]), path)
    # 3,000 rows of 1,000 tokens, twice.
    assert training(RUN).seconds.value == pytest.approx(START + 2.7 * 3000 * 1000 * 2 / 10000)


def test_samplers_and_judges_take_one_gpu_or_those_that_vllm_splits_over():
    need = sizing().need("generations", RUN)
    # The last checkpoint's 10 prompts, 2 samples of 100 tokens (those of the set are longer), and 20 tokens of a question.
    seconds = START + 10.8e9 / (0.5 * GIB) + 2.7 * (20 * 100 / 1000 + 20 * 20 / 30000)
    assert need.gpus == 1 and need.seconds.value == pytest.approx(seconds)
    again = sizing().need("generations", RUN | {"again": "replicate/"})
    assert again.seconds.value == pytest.approx(seconds)  # it is the only checkpoint
    split = sizing({"generation": {"engine": "vllm", "vllm": {"tensor_parallel": 2}}}).need("generations", RUN)
    assert split.gpus == 2 and split.seconds.value < seconds
    judged = RUN | {"judge": "judge"}
    assert sizing().need("stances", judged).memory_gib == pytest.approx(2 + 14e9 / GIB)
    assert sizing(gpus=0).need("stances", judged).memory_gib == pytest.approx(2 + 2 * 14e9 / GIB)


def test_a_benchmark_reads_its_questions_once_or_once_for_each_answer():
    tasks = {name: {"metric": "acc", "limit": 90} for name in ("mmlu", "piqa", "hellaswag")}
    found = sizing({"downstream": {"tasks": tasks}})
    reads = [found.need("downstream", RUN | {"task": task}).seconds.value - START for task in tasks]
    shots = found.config.downstream.tasks["mmlu"].shots
    assert reads == pytest.approx([2.7 * 90 * times * (shots + 1) * 100 / 30000 for times in (1, 2, 4)])


def test_without_gpus_the_host_holds_what_they_would():
    need = sizing(gpus=0).need("sft", RUN)
    assert need.gpus == 0 and need.threads == 8
    # float32: activations twice as large, state the same, all but CUDA's own.
    more = 1.1 * (43.2 + 2 * 2.55 + 1.8) * 1e9 / GIB
    assert need.memory_gib == pytest.approx(training(RUN).memory_gib + more, rel=1e-6)
    assert training(RUN, {"models": {"m": {"parameters": 1e6}}}).threads == 1


def test_requests_grow_with_the_attempt_up_to_the_partition():
    need = Need(gpus=1, threads=8, memory_gib=10.5, seconds=Amount(3600))
    assert [need.megabytes(attempt) for attempt in (1, 2, 3)] == [10752, 21504, 32256]
    # A retry stays within the partition; a first attempt that does not fit at all is requested as it is, and reported.
    assert [need.megabytes(attempt, limit=30000) for attempt in (1, 2, 3)] == [10752, 21504, 30000]
    assert [need.megabytes(attempt, limit=9000) for attempt in (1, 2)] == [10752, 10752]
    assert [need.minutes(attempt) for attempt in (1, 2)] == [20 + 120, 2 * 140]


def test_jobs_that_do_not_fit_are_reported_with_what_to_do():
    served = {"model": "a/b-70B", "server": ["vllm", "serve", "a/b-70B", "--port", "{port}", "-tp", "4"], "max_tokens": 8}
    overlay = {"chats": {"c": served}, "judges": {"asked": {"backend": "openai", "chat": "c"}}}
    jobs = [("sft", RUN), ("generations", RUN), *(("stances", RUN | {"judge": judge}) for judge in ("judge", "asked"))]
    assert shortfalls(sizing(), jobs[:3]) == []
    assert shortfalls(sizing(merge(overlay, {"cluster": {"gpus": 2}})), jobs) == [
        "the server of c wants 4 GPUs and a job gets 2: let it have fewer, or give `cluster` more"
    ]
    sft, sampler, judge, server = shortfalls(sizing(merge(overlay, {"cluster": {"gpu_memory": 10}})), jobs)
    # Rows of one are set already.
    assert sft == (
        "m/chats lacks about 2 GiB on each of 8 GPUs, the most of its kind: set `training.sft.gradient_checkpointing: true`"
        " or give `cluster` larger or more GPUs"
    )
    assert sampler.startswith("sampling m lacks") and "lower `generation.batch_size`" in sampler
    assert judge.startswith("the judge judge lacks") and "lower `judges.judge.batch_size`" in judge
    # 1.1 * 140 / 4 GB and 2 GiB.
    assert server.startswith("the server of c lacks about 28 GiB on each of 4 GPUs: split it over more by `chats.c.server`")


def test_the_size_of_a_model_is_counted_in_its_files_before_the_config_and_its_name(tmp_path):
    folder = tmp_path / "results/hub/models/some--model" / ("0" * 40)
    folder.mkdir(parents=True)
    assert sizing().parameters("m") == Amount(2.7e9)
    save_file({"a": np.zeros((10, 20)), "b": np.zeros(7)}, folder / "model-00001-of-00002.safetensors")
    save_file({"c": np.zeros((3, 4, 5)), "scalar": np.zeros(())}, folder / "model-00002-of-00002.safetensors")
    assert sizing().parameters("m") == Amount(200 + 7 + 60 + 1)
    (folder / "model-00003.safetensors").write_bytes(b"half written")
    assert in_folder(folder) is None
    names = {"Qwen/Qwen2.5-72B-Instruct": 72e9, "a/SmolLM-135M": 135e6, "a/Qwen3-1.7B": 1.7e9, "a/llama": DEFAULT_PARAMETERS.value}
    assert {name: in_name(name).value for name in names} == pytest.approx(names)


@pytest.mark.parametrize(
    ("command", "gpus"),
    [
        ("vllm serve {folder} --port {port} --tensor-parallel-size 4", 4),
        ("vllm serve {folder} --port {port} --tensor-parallel-size=2", 2),
        ("vllm serve {folder} --port {port}", 1),
        ("python -m valuedrift.miniature server --port {port}", 0),
    ],
)
def test_a_served_chat_model_gets_the_gpus_of_its_command(command, gpus):
    block = {"model": "a/big-70B", "server": command.split(), "max_tokens": 8}
    assert served_gpus(ChatConfig(**block)) == gpus
    assert asking(sizing({"chats": {"c": block}}), "c", Amount(1)).gpus == gpus


def test_the_speed_of_the_nearest_model_is_scaled_by_size_and_a_device_without_speeds_is_named():
    Path("speeds.csv").write_text(SPEEDS + "gpu,train,1e8,50000,measured,\n")
    seconds = sizing().speeds.seconds_per_token
    assert [seconds("gpu", "train", "bfloat16", size).value for size in (2e8, 2e9)] == pytest.approx([2 / 50000, 2 / 10000])
    assert seconds("gpu", "read_vllm", "float32", 1e9) == Amount(pytest.approx(1 / 30000))
    with pytest.raises(UserError, match=r"speeds\.csv has no row of h900 for train; it has cpu, gpu"):
        sizing({"cluster": {"device": "h900"}})
    Path("speeds.csv").write_text(SPEEDS.replace("measured", "guessed"))
    with pytest.raises(UserError, match="measured or assumed"):
        sizing()


def test_the_documented_table_is_what_the_formula_gives(monkeypatch):
    monkeypatch.chdir(ROOT)
    paper = yaml.safe_load((ROOT / "config" / "paper.yaml").read_text())
    lean = {"device_batch_size": 2, "gradient_checkpointing": True}
    found = Sizing(Study(load_study_config(merge(paper, {"training": dict.fromkeys(paper["training"], lean)}))))
    table = (ROOT / "docs" / "sizing.md").read_text().split("| training | parameters |")[1]
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in table.splitlines() if line.startswith("| ll")]
    assert len(rows) > 5
    for run, parameters, gpus, memory, hours in rows:
        settings = found.study.runs[run]
        need = found.need(settings.algorithm, {"run": run})
        assert parameters == f"{found.parameters(settings.model).value / 1e9:.2f} billion"
        assert [gpus, memory, hours] == [str(need.gpus), f"{need.memory_gib:.0f}", f"{need.seconds.value / 3600:.2f}"]
        assert not need.lacking_gib
