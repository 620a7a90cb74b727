"""What jobs need, against numbers worked out by hand."""

import json
import math
import struct
from pathlib import Path

import pytest
import yaml

from valuedrift.config.chat import ChatConfig
from valuedrift.config.cluster import ClusterConfig
from valuedrift.config.load import load_study_config, merge
from valuedrift.errors import UserError
from valuedrift.sizing import Need, Sizing
from valuedrift.sizing.counts import Amount
from valuedrift.sizing.generate import served_gpus
from valuedrift.sizing.gpu_memory import GIB
from valuedrift.sizing.parameters import GUESS, in_folder, in_name, of_tiny
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


@pytest.fixture(autouse=True)
def elsewhere(tmp_path, monkeypatch):
    """A working directory with nothing but a table of speeds."""
    monkeypatch.chdir(tmp_path)
    Path("speeds.csv").write_text(SPEEDS)


def sizing(overlay=None, gpus=None):
    return Sizing(Study(load_study_config(merge(STUDY, overlay or {}))), gpus)


def training(run, overlay=None):
    found = sizing(overlay)
    return found.training(found.study.runs[run])


# State 16 P = 43.2 GB; activations 34 * 1,000 * 3,000 * 25 = 2.55 GB; logits 12 * 1,000 * 150,000 = 1.8 GB.
@pytest.mark.parametrize(("memory", "gpus", "each"), [(80, 1, 43.2 + 4.35), (48, 2, 21.6 + 4.35), (24, 4, 10.8 + 4.35)])
def test_a_training_gets_the_fewest_gpus_that_hold_it(memory, gpus, each):
    assert 1.1 * each * 1e9 / GIB + 2 < memory
    need = training("m/chats", {"cluster": {"gpu_memory": memory}})
    assert (need.gpus, need.threads, need.lacking_gib) == (gpus, 8 * gpus, 0)


def test_what_lacks_on_the_most_gpus_is_told():
    overlay = {"cluster": {"gpu_memory": 10}}
    assert training("m/chats", overlay).lacking_gib == pytest.approx(1.1 * 9.75e9 / GIB + 2 - 10)
    found = sizing(overlay)
    (line,) = found.lacking([found.study.runs["m/chats"]], [])
    # Rows of one are set already.
    assert line == (
        "m/chats lacks about 2 GiB on each of 8 GPUs, the most of its kind: set `training.sft.gradient_checkpointing: true`"
        " or give `cluster` larger or more GPUs"
    )
    lean = sizing(merge(overlay, {"cluster": {"gpu_memory": 5}, "training": {"sft": {"gradient_checkpointing": True}}}))
    assert lean.lacking([lean.study.runs["m/chats"]], [])[0].endswith("of its kind: give `cluster` larger or more GPUs")
    assert sizing().lacking([found.study.runs["m/chats"]], []) == []


def engines_lacking(overlay):
    found = sizing(overlay)
    run = found.study.runs["m/chats"]
    return found.lacking_engines([run], [(run, "judge")], found.config.chats)


def test_samplers_judges_and_servers_that_do_not_fit_are_told():
    assert engines_lacking({}) == []
    served = {
        "chats": {
            "c": {"model": "a/b-70B", "server": ["vllm", "serve", "a/b-70B", "--port", "{port}", "-tp", "4"], "max_tokens": 8}
        }
    }
    assert engines_lacking(merge(served, {"cluster": {"gpus": 2}})) == [
        "the server of c wants 4 GPUs and a job gets 2: let it have fewer, or give `cluster` more"
    ]
    # 1.1 * 140 / 4 GB and 2 GiB of the server, 1.1 * 14 GB and 2 GiB of the judge.
    sampler, judge, server = engines_lacking(merge(served, {"cluster": {"gpu_memory": 12}}))
    assert sampler.startswith("sampling m lacks") and "lower `generation.batch_size`" in sampler
    assert judge.startswith("the judge judge lacks") and "lower `judges.judge.batch_size`" in judge
    assert server.startswith("the server of c lacks about 26 GiB on each of 4 GPUs: split it over more by `chats.c.server`")


def test_a_benchmark_reads_its_questions_once_or_once_for_each_answer():
    tasks = {
        "mmlu": {"metric": "acc", "limit": 90},
        "piqa": {"metric": "acc", "limit": 90},
        "hellaswag": {"metric": "acc", "limit": 90},
    }
    found = sizing({"downstream": {"tasks": tasks}})
    run, start = found.study.runs["m/chats"], 6 + 10.8e9 / (0.5 * GIB)
    reads = [found.downstream(run, task).seconds.value - start for task in tasks]
    shots = found.config.downstream.tasks["mmlu"].shots
    assert reads == pytest.approx([2.7 * 90 * times * (shots + 1) * 100 / 30000 for times in (1, 2, 4)])


def test_gpus_share_a_batch_in_whole_rows():
    assert training("m/chats", {"cluster": {"gpu_memory": 10}, "training": {"sft": {"batch_size": 12}}}).gpus == 4


def test_checkpointing_and_adapters_take_less():
    # 2 * 1,000 * 3,000 * 25 + 34 * 1,000 * 3,000 = 0.252 GB in place of 2.55.
    tight = {"cluster": {"gpu_memory": 1.1 * (43.2 + 1.8 + 0.26) * 1e9 / GIB + 2}}
    assert training("m/chats", tight).gpus == 2
    assert training("m/chats", merge(tight, {"training": {"sft": {"gradient_checkpointing": True}}})).gpus == 1
    # 10.8 GB of weights and 16 * 19 * 16 * 3,000 * 25 = 0.36 GB.
    small = {"cluster": {"gpu_memory": 1.1 * (10.8 + 0.37 + 4.35) * 1e9 / GIB + 2}, "training": {"sft": {"lora": {}}}}
    assert training("m/chats", small).gpus == 1


def test_ppo_holds_two_trained_models_and_two_that_it_reads():
    # 2 * 43.2 + 2 * 10.8 = 108 GB.
    fits = {"cluster": {"gpu_memory": 1.1 * (108 + 4.36) * 1e9 / GIB + 2}}
    assert training("m/chats/ppo-pairs", fits).gpus == 1
    assert training("m/chats/ppo-pairs", {"cluster": {"gpu_memory": 1.1 * (108 + 4.34) * 1e9 / GIB + 2}}).gpus == 2


# 2 P = 5.4 GB: PPO's copy to sample from, DPO's gathered reference.
@pytest.mark.parametrize(("run", "shared", "own"), [("ppo", 108, 4.35 + 5.4), ("dpo", 54, 2 * 4.35 + 5.4)])
def test_gpus_that_share_hold_one_model_whole(run, shared, own):
    def gpus(more):
        return training(f"m/chats/{run}-pairs", {"cluster": {"gpu_memory": 1.1 * (shared / 2 + own + more) * 1e9 / GIB + 2}}).gpus

    assert (gpus(0.01), gpus(-0.01)) == (2, 4)


def test_ppo_loads_one_model_after_another_and_gathers_its_state():
    # One GPU: 6 x 10.8 GB of state. On eight: two of 10.8 GB in each process, more than 6 x 10.8 GB.
    table = 3 * 1000 * 500 * 4 / GIB
    assert training("m/chats/ppo-pairs", {"cluster": {"gpu_memory": 1000}}).memory_gib == pytest.approx(2 + 64.8e9 / GIB + table)
    need = training("m/chats/ppo-pairs", {"cluster": {"gpu_memory": 30}})
    assert need.gpus == 8 and need.memory_gib == pytest.approx(16 + 16 * 10.8e9 / GIB + table)


def test_time_is_tokens_by_speed_and_start_up():
    start = 6 + 10.8e9 / (0.5 * GIB)
    # 1,000 rows * 2 epochs * 500 tokens at 10,000 / 2.7 a second.
    assert training("m/chats").seconds == Amount(pytest.approx(start + 270), "~")
    assert training("m/chats", {"cluster": {"gpu_memory": 48}}).seconds.value == pytest.approx(start + 135)
    checkpointing = {"training": {"sft": {"gradient_checkpointing": True}}}
    assert training("m/chats", checkpointing).seconds.value == pytest.approx(start + 360)


def test_time_of_preference_optimization():
    start, roomy = 6 + 10.8e9 / (0.5 * GIB), {"cluster": {"gpu_memory": 1000}}
    # A pair is two sequences of 170 + 330 tokens: trained on by both, read once by DPO's reference.
    found = sizing(roomy)
    assert found.reward("m/chats/pairs").seconds.value == pytest.approx(start + 270)
    dpo = training("m/chats/dpo-pairs", roomy)
    assert dpo.seconds.value == pytest.approx(start + 10.8e9 / (0.5 * GIB) + 270 + 90)
    # 500 tokens of each prompt read four times, trained on by two models in two passes.
    ppo = training("m/chats/ppo-pairs", roomy)
    loaded, updated = start + 3 * 10.8e9 / (0.5 * GIB), 2000 / 30 + 2000 / 10
    # 1,000 / 32 batches of 600 tokens (twice 330 is more), each as long as one of 64 responses at once.
    sampled = 1000 / 32 * 600 * 64 / 1000
    assert ppo.seconds.value == pytest.approx(loaded + 2.7 * (sampled + updated))
    four = training("m/chats/ppo-pairs", {"cluster": {"gpu_memory": 45}})
    assert four.gpus == 4 and four.seconds.value == pytest.approx(loaded + 2.7 * (sampled + updated / 4))
    # 8 on each GPU, 3 at once: three rounds.
    rounds = training("m/chats/ppo-pairs", {"cluster": {"gpu_memory": 45}, "training": {"ppo": {"rollout_batch_size": 3}}})
    assert rounds.seconds.value == pytest.approx(loaded + 2.7 * (3 * sampled + updated / 4))


def test_without_gpus_each_token_of_each_sampled_response_takes_its_time():
    on_cpu = sizing({"cluster": {"device": "cpu", "gpus": None}, "models": {"m": {"parameters": 1e6}}})
    need = on_cpu.training(on_cpu.study.runs["m/chats/ppo-pairs"])
    updated = 2000 / 20 + 2000 / 5
    assert need.seconds.value == pytest.approx(6 + 4 * 4e6 / (0.5 * GIB) + 600 * 1000 / 2000 + updated)


def test_a_longer_table_takes_longer_and_its_own_texts_are_counted(tmp_path):
    from valuedrift.io.tables import SFT_SET

    turns = [{"role": "user", "content": "x" * 400}, {"role": "assistant", "content": "y" * 3600}]
    rows = [{"row": i, "split": "train", "messages": turns} for i in range(3000)]
    path = tmp_path / "results" / "sized" / "data" / "chats.parquet"
    path.parent.mkdir(parents=True)
    SFT_SET.write(SFT_SET.frame(rows), path)
    # 3,000 rows of 1,000 tokens, twice.
    assert training("m/chats").seconds.value == pytest.approx(6 + 10.8e9 / (0.5 * GIB) + 2.7 * 3000 * 1000 * 2 / 10000)


def test_measuring_takes_one_gpu_or_what_vllm_splits_over():
    found = sizing()
    run = found.study.runs["m/chats"]
    # The last checkpoint's 10 prompts, 2 samples of 100 tokens (those of the set are longer), and 20 tokens of a question.
    start = 6 + 2 * 10.8e9 / (0.5 * GIB)
    assert found.generation(run).gpus == 1
    assert found.generation(run).seconds.value == pytest.approx(start + 2.7 * (20 * 100 / 1000 + 20 * 20 / 30000))
    engine = {"generation": {"engine": "vllm", "vllm": {"tensor_parallel": 2}}}
    assert sizing(engine).generation(run).gpus == 2
    assert sizing(engine).generation(run).seconds.value < found.generation(run).seconds.value
    judged = found.stances(run, "judge")
    assert judged.gpus == 1 and judged.memory_gib == pytest.approx(2 + 14e9 / GIB)
    assert sizing(gpus=0).stances(run, "judge").memory_gib == pytest.approx(2 + 2 * 14e9 / GIB)


def test_without_gpus_the_host_holds_what_they_would():
    with_gpus, without = training("m/chats"), sizing(gpus=0)
    need = without.training(without.study.runs["m/chats"])
    assert need.gpus == 0 and need.threads == 8
    # float32: activations twice as large, state the same, all but CUDA's own.
    more = 1.1 * (43.2 + 2 * 2.55 + 1.8) * 1e9 / GIB
    assert need.memory_gib == pytest.approx(with_gpus.memory_gib + more, rel=1e-6)
    assert sizing({"models": {"m": {"parameters": 1e6}}}).training(without.study.runs["m/chats"]).threads == 1


def test_what_is_asked_for_grows_with_the_attempt():
    need = Need(gpus=1, threads=8, memory_gib=10.5, seconds=Amount(3600))
    assert [need.megabytes(attempt) for attempt in (1, 2, 3)] == [10752, 21504, 32256]
    # A retry stays within the partition; what does not fit at all is asked for, and told.
    assert [need.megabytes(attempt, most=30000) for attempt in (1, 2, 3)] == [10752, 21504, 30000]
    assert [need.megabytes(attempt, most=9000) for attempt in (1, 2)] == [10752, 10752]
    assert [need.minutes(attempt) for attempt in (1, 2)] == [20 + 120, 2 * 140]


def write_safetensors(path, shapes):
    header = {name: {"dtype": "F32", "shape": shape, "data_offsets": [0, 0]} for name, shape in shapes.items()}
    text = json.dumps({"__metadata__": {"format": "pt"}, **header}).encode()
    path.write_bytes(struct.pack("<Q", len(text)) + text)


def test_weights_are_counted_in_the_files_of_a_model_before_the_config_is_believed(tmp_path):
    folder = tmp_path / "results/hub/models/some--model" / ("0" * 40)
    folder.mkdir(parents=True)
    write_safetensors(folder / "model-00001-of-00002.safetensors", {"a": [10, 20], "b": [7]})
    write_safetensors(folder / "model-00002-of-00002.safetensors", {"c": [3, 4, 5], "scalar": []})
    assert in_folder(folder) == Amount(200 + 7 + 60 + 1)
    assert sizing().parameters("m") == Amount(268)


def test_a_half_written_file_is_no_reason_to_stop(tmp_path):
    (tmp_path / "model.safetensors").write_bytes(struct.pack("<Q", 1000) + b"{}")
    assert in_folder(tmp_path) is None


@pytest.mark.parametrize(
    ("name", "weights"),
    [("Qwen/Qwen2.5-72B-Instruct", 72e9), ("a/SmolLM-135M", 135e6), ("a/Qwen3-1.7B", 1.7e9), ("a/llama", GUESS.value)],
)
def test_a_name_tells_the_size_of_a_model_that_is_not_here(name, weights):
    assert in_name(name) == Amount(pytest.approx(weights), "~")


def test_the_miniatures_models_are_counted_from_their_config():
    from valuedrift.config.miniature import TinyModelConfig

    # The built-in study's base model has 421,056 weights, norms among them, which are left out.
    assert of_tiny(TinyModelConfig(), 1309).value == 421_056 - (2 * 2 + 1) * 96


@pytest.mark.parametrize(
    ("server", "gpus"),
    [
        (["vllm", "serve", "{folder}", "--port", "{port}", "--tensor-parallel-size", "4"], 4),
        (["vllm", "serve", "{folder}", "--port", "{port}", "--tensor-parallel-size=2"], 2),
        (["vllm", "serve", "{folder}", "--port", "{port}"], 1),
        (["python", "-m", "valuedrift.miniature", "server", "--port", "{port}"], 0),
    ],
)
def test_a_served_chat_gets_the_gpus_of_its_command(server, gpus):
    chat = ChatConfig(model="a/big-70B", server=server, max_tokens=8)
    assert served_gpus(chat) == gpus
    assert sizing({"chats": {"c": chat.model_dump(include={"model", "server", "max_tokens"})}}).asking("c").gpus == gpus


@pytest.mark.parametrize(("block", "most"), [({"device": "cpu"}, 0), ({}, 8), ({"device": "gpu", "gpus": 2}, 2)])
def test_the_device_alone_says_whether_there_are_gpus(block, most):
    assert ClusterConfig(**block).most == most


@pytest.mark.parametrize("block", [{"device": "cpu", "gpus": 4}, {"device": "gpu", "gpus": 0}, {"gpus": 0}])
def test_a_device_and_a_number_of_gpus_that_contradict_are_both_named(block):
    with pytest.raises(ValueError, match=r"`device: .*` and `gpus: .* contradict"):
        ClusterConfig(**block)


def test_a_device_without_speeds_is_named():
    with pytest.raises(UserError, match=r"speeds\.csv has no row of h900 for train; it knows cpu, gpu"):
        sizing({"cluster": {"device": "h900"}})
    Path("speeds.csv").write_text(SPEEDS.replace("measured", "guessed"))
    with pytest.raises(UserError, match="measured or assumed"):
        sizing()


def test_the_speed_of_the_nearest_model_is_scaled_by_size():
    Path("speeds.csv").write_text(SPEEDS + "gpu,train,1e8,50000,measured,\n")
    assert sizing().speeds.seconds_per_token("gpu", "train", "bfloat16", 2e8).value == pytest.approx(2 / 50000)
    assert sizing().speeds.seconds_per_token("gpu", "train", "bfloat16", 2e9).value == pytest.approx(2 / 10000)
    assert sizing().speeds.seconds_per_token("gpu", "read_vllm", "float32", 1e9) == Amount(pytest.approx(1 / 30000))


def test_every_assumption_of_the_shipped_table_says_how_it_was_made():
    from valuedrift.sizing.throughput import Speeds

    speeds = Speeds(str(ROOT / "config" / "speeds.csv"))
    assert all(row.note for row in speeds.rows)
    for row in speeds.rows:
        peak = {"h100-80gb": 989e12, "h200-141gb": 989e12, "a100-80gb": 312e12}.get(row.device)
        if peak and row.work in ("train", "read"):
            operations = {"train": 6, "read": 2}[row.work] * row.parameters
            assert row.tokens_per_second == pytest.approx(0.4 * peak / operations, rel=0.01)


def test_the_papers_sizes_are_those_of_its_models():
    models = yaml.safe_load((ROOT / "config" / "paper.yaml").read_text())["models"]
    for block in models.values():
        assert math.isclose(block["parameters"], in_name(block["path"]).value, rel_tol=0.08)


def test_the_documented_table_is_what_the_formula_gives(monkeypatch):
    monkeypatch.chdir(ROOT)
    paper = yaml.safe_load((ROOT / "config" / "paper.yaml").read_text())
    lean = {"device_batch_size": 2, "gradient_checkpointing": True}
    study = Study(load_study_config(merge(paper, {"training": dict.fromkeys(paper["training"], lean)})))
    found = Sizing(study)
    table = (ROOT / "docs" / "sizing.md").read_text().split("| training | parameters |")[1]
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in table.splitlines() if line.startswith("| ll")]
    assert len(rows) > 5
    for run, parameters, gpus, memory, hours in rows:
        need = found.training(study.runs[run])
        assert parameters == f"{found.parameters(study.runs[run].model).value / 1e9:.2f} billion"
        assert [gpus, memory, hours] == [str(need.gpus), f"{need.memory_gib:.0f}", f"{need.seconds.value / 3600:.2f}"]
        assert not need.lacking_gib
