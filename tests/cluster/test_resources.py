"""What jobs request, which of them run locally, and the file of partitions."""

import re
from pathlib import Path
from types import SimpleNamespace

import pytest
import yaml
from snakemake.exceptions import WorkflowError

from valuedrift.cluster.local_gpus import gpus_here
from valuedrift.cluster.orphans import refuse_orphans
from valuedrift.cluster.partitions import longest, partitions, roomiest, unplaced
from valuedrift.cluster.resources import JobResources, partition_mistake
from valuedrift.config.load import load_study_config, merge
from valuedrift.errors import UserError
from valuedrift.study.study import Study

ROOT = Path(__file__).parents[2]
MINIATURE = yaml.safe_load((ROOT / "config" / "miniature.yaml").read_text())
SERVICE = {
    "chats": {"service": {"model": "talker", "base_url": "http://127.0.0.1:9/v1", "max_tokens": 1}},
    "prompts": {"chat": "service", "filter": "llm"},
    "judges": {"api": {"backend": "openai", "chat": "service"}},
}


@pytest.fixture(autouse=True)
def top(monkeypatch):
    monkeypatch.chdir(ROOT)


def job_resources(overlay=None, executor=None, partition_file=None):
    study = Study(load_study_config(merge(MINIATURE, overlay or {})))
    return JobResources(study, lambda: executor, lambda: partition_file)


def test_a_rule_requests_what_its_job_needs_up_to_the_limits_of_a_partition(tmp_path):
    (path := tmp_path / "partitions.yaml").write_text("partitions: {cpu: {max_mem_mb: 3000, max_runtime: 15m}}")
    wildcards = {"run": "mini/wildchat"}
    free, limited = job_resources(), job_resources(partition_file=path)
    need, requests = free.sizing.need("sft", wildcards), free.resources("sft")
    assert set(requests) == {"gpu", "mem_mb", "runtime"}
    assert requests["gpu"](wildcards) == need.gpus and free.threads("sft")(wildcards) == need.threads
    for attempt in (1, 2):
        assert requests["mem_mb"](wildcards, attempt) == need.megabytes(attempt) == attempt * need.megabytes(1)
        assert requests["runtime"](wildcards, attempt) == need.minutes(attempt)
        assert limited.resources("sft")["runtime"](wildcards, attempt) == 15
    assert limited.resources("sft")["mem_mb"](wildcards, 2) == 3000
    path.write_text("cpu: {}")
    with pytest.raises(WorkflowError, match="the key `partitions` is missing"):
        limited.resources("sft")["runtime"](wildcards, 1)


def test_jobs_that_call_a_service_run_where_the_network_is_one_at_a_time():
    offline = job_resources({"chats": {"grammar": {"server": ["serve", "{port}"]}}})
    assert offline.runs_locally("questions") and not offline.runs_locally("answers")  # none called, and one that the job serves
    for network, partition in (("local", None), ("login", "login")):
        found = job_resources(merge(SERVICE, {"cluster": {"network": network}}))
        assert found.service_judges == ["api"]
        assert found.runs_locally("questions") and not found.calls_service("questions")
        for rule in ("value_laden", "service_stances", "service_order_check"):
            assert found.runs_locally(rule) is (network == "local")
            assert found.resources(rule).get("slurm_partition") == partition
        assert found.resources("value_laden")["api"] == 1
        for rule in ("service_stances", "service_order_check"):
            assert found.resources(rule)["api"](SimpleNamespace(judge="api")) == 1
        assert "api" not in found.resources("stances") and "slurm_partition" not in found.resources("stances")
    batch = job_resources(merge(SERVICE, {"chats": {"service": {"batch": True}}}))
    assert batch.resources("service_stances")["api"](SimpleNamespace(judge="api")) == 0


def test_several_gpus_are_launched_with_their_share_of_the_cores():
    assert job_resources().launch_command(1, 8) == "python"
    assert job_resources().launch_command(4, 32).startswith("OMP_NUM_THREADS=8 TORCH_ELASTIC")


@pytest.mark.parametrize(("executor", "gpus"), [("local", 1), ("slurm-jobstep", 1), ("slurm", 4), (None, 4)])
def test_jobs_on_this_machine_request_no_gpus_that_are_not_here(monkeypatch, executor, gpus):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "3")
    large = {"models": {"mini": {"parameters": 3.2e9}}, "cluster": {"device": "h100-80gb", "gpu_memory": 40}}
    assert job_resources(large, executor).resources("sft")["gpu"]({"run": "mini/wildchat"}) == gpus


def test_gpus_of_this_machine_are_counted(monkeypatch):
    for visible, number in (("", 0), ("0,3", 2), ("-1", 0)):
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
        assert gpus_here() == number


def test_the_limits_are_those_of_a_partition_that_has_the_gpus(tmp_path):
    path = tmp_path / "partitions.yaml"
    path.write_text(
        "partitions: {cpu: {max_mem_mb: 3000, max_runtime: 2d}, small: {max_mem_mb: 1000, max_runtime: 4h, max_gpu: 8},"
        " large: {max_mem_mb: 2000, max_runtime: '1-00:00:00', max_gpu: 2}}"
    )
    assert [roomiest(path, gpus) for gpus in (0, 1, 4)] == [3000, 2000, 1000]
    assert [longest(path, gpus) for gpus in (0, 1, 2, 4, 8)] == [2880, 1440, 1440, 240, 240]
    assert roomiest(path, 16) == longest(path, 16) == longest(path, 0, "elsewhere") == float("inf")
    assert (roomiest(path, 0, "small"), longest(path, 0, "small")) == (1000, 240)
    path.write_text("partitions: {open: {max_gpu: 4}}")
    assert longest(path, 1) == float("inf")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("partitions: {cpu: {max_cpu: 8}}", "unknown key `partitions.cpu.max_cpu`; did you mean `max_gpu`"),
        ("partitions: {cpu: }", "`partitions.cpu` must be a name with a block"),
        ("cpu: {max_gpu: 8}", "the key `partitions` is missing"),
        ("partitions: {cpu: {max_mem_mb: 250G}}", "`partitions.cpu.max_mem_mb` must be a number, not '250G'"),
        ("partitions: {cpu: {max_runtime: two days}}", "`partitions.cpu.max_runtime` must be a time, not 'two days'"),
        ("partitions: [", "cannot be read"),
    ],
)
def test_a_mistake_in_the_file_of_partitions_is_one_message(tmp_path, text, message):
    (tmp_path / "partitions.yaml").write_text(text)
    with pytest.raises(UserError, match=re.escape(message)):
        partitions(tmp_path / "partitions.yaml")
    assert message in str(partition_mistake(tmp_path / "partitions.yaml"))
    assert partition_mistake(tmp_path / "none.yaml") is None


def double(rule, threads, **resources):
    """A double of Snakemake's job, with what the executor reads of one."""
    return SimpleNamespace(
        name=rule,
        rule=SimpleNamespace(name=rule),
        threads=threads,
        resources=resources,
        output=["out"],
        wildcards={"run": "mini/base"},
    )


def test_jobs_that_fit_no_partition_are_reported(tmp_path):
    path = tmp_path / "partitions.yaml"
    path.write_text("partitions: {cpu: {max_cpus_per_task: 32}, gpu: {max_cpus_per_task: 64, max_gpu: 8}}")
    jobs = [double("sft", 128, gpu=8), double("sft", 128, gpu=8), double("dpo", 64, gpu=8), double("ppo", 8, gpu=16)]
    sft, ppo = unplaced(path, [*jobs, double("asks", 99, slurm_partition="x")])
    assert sft.startswith("sft (out) fits no partition") and "128 (max_cpus_per_task of `gpu` is 64)" in sft
    assert "16 (max_gpu of `" in ppo
    found = job_resources({"cluster": {"network": "login"}}, partition_file=path)
    fits, network = found.warnings([double("generations", 128), double("values", 128)], lambda rule: rule.name == "values")
    assert fits.startswith("generations (out) fits no partition") and network.startswith("`cluster.network: login` is not in")
    assert job_resources().warnings([double("generations", 128)], lambda rule: False) == []


def test_without_slurm_one_line_says_so(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(UserError, match="no squeue here"):
        refuse_orphans(tmp_path)
