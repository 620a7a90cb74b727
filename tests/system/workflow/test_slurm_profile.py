"""What the profile and the rules request of SLURM, by one dry run: nothing is submitted.

What decides the requests is tests/cluster/test_resources.py, without Snakemake.
"""

import os
import re
import subprocess
import sys

import pytest
import yaml

from clone import ROOT, SMALL, copy_repository
from valuedrift.config.load import load_study_config, merge
from valuedrift.sizing import Sizing
from valuedrift.study.study import Study

pytestmark = pytest.mark.workflow
PROFILE = yaml.safe_load((ROOT / "profiles" / "slurm" / "config.yaml").read_text())
# Models of a size that needs several GPUs, and a judge of each kind.
STUDY = merge(
    SMALL,
    {
        "models": {"mini": {"parameters": 3.2e9}},
        "chats": {
            "talker": {"model": "talker", "base_url": "http://127.0.0.1:9/v1", "max_tokens": 1},
            "served": {"model": "big-70B", "server": ["vllm", "serve", "big-70B", "--port", "{port}", "-tp", "4"], "max_tokens": 8},
        },
        "prompts": {"chat": "served", "filter": "llm", "naming": "llm"},
        "judges": {"api": {"backend": "openai", "chat": "talker", "per_category": 2}},
        "cluster": {"device": "h100-80gb", "gpus": 8, "gpu_memory": 40, "cpus_per_gpu": 6},
    },
)  # fmt: skip
IS_LOCAL = """
import json, sys
from pathlib import Path
from snakemake.api import ConfigSettings, OutputSettings, ResourceSettings, SnakemakeApi
from snakemake_interface_executor_plugins.registry import ExecutorPluginRegistry
with SnakemakeApi(OutputSettings()) as api:
    workflow = api.workflow(
        resource_settings=ResourceSettings(cores=1), config_settings=ConfigSettings(configfiles=[Path(sys.argv[1])]),
        snakefile=Path("Snakefile"),
    )._workflow
    workflow._executor_plugin = ExecutorPluginRegistry().get_plugin("slurm")
    print(json.dumps({rule.name: workflow.is_local(rule) for rule in workflow.rules}))
"""


@pytest.fixture(scope="module")
def clone(tmp_path_factory):
    return copy_repository(tmp_path_factory.mktemp("cluster"))


def dry_run(clone, config, *arguments):
    """Return the jobs that a dry run with the profile prints: first output → rule, threads and resources."""
    (clone.folder / "study.yaml").write_text(yaml.safe_dump(config, sort_keys=False))
    # A dry run has one core unless it is given more, and prints no job with more threads than cores.
    command = ["snakemake", "--profile", "slurm", "--dry-run", "--cores", "1000", *arguments, "--configfile", "study.yaml"]
    done = subprocess.run(
        [sys.executable, "-m", *command], cwd=clone.folder, env=clone.environment, text=True, check=False, stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-4000:]
    found = {}
    for block in re.split(r"\n(?=\[\w{3} \w{3} +\d+ )", done.stdout):
        rule, output, resources = (
            re.search(rf"^ *{key}(.*?):?$", block, re.MULTILINE) for key in ("(?:local)?rule ", "output: ", "resources: ")
        )
        if rule and output and resources:
            threads = re.search(r"^ *threads: (\d+)$", block, re.MULTILINE)
            asked = dict(one.split("=", 1) for one in resources[1].split(", "))
            found[output[1].split(", ")[0]] = (rule[1], int(threads[1]) if threads else 1, asked)
    return found


@pytest.fixture(scope="module")
def jobs(clone):
    return dry_run(clone, STUDY)


@pytest.fixture(scope="module")
def sizing():
    os.chdir(ROOT)
    return Sizing(Study(load_study_config(STUDY)))


def local_rules(clone, config):
    """Return the names of the rules whose jobs are not submitted, as Snakemake with the SLURM executor decides it."""
    (clone.folder / "study.yaml").write_text(yaml.safe_dump(config, sort_keys=False))
    done = subprocess.run(
        [sys.executable, "-c", IS_LOCAL, "study.yaml"], cwd=clone.folder, env=clone.environment, text=True, check=False, capture_output=True
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-4000:]
    return {name for name, local in yaml.safe_load(done.stdout.splitlines()[-1]).items() if local}


def test_the_profile_submits_to_slurm_with_the_settings_that_real_clusters_needed():
    assert PROFILE["executor"] == "slurm"
    assert PROFILE["slurm-status-command"] == "sacct" and PROFILE["slurm-no-requeue"] is True
    assert PROFILE["default-resources"]["slurm_extra"] == "'--signal=TERM@300'" and PROFILE["default-resources"]["nodes"] == 1
    assert PROFILE["retries"] > 0
    assert not any("retries:" in path.read_text() for path in (ROOT / "workflow" / "rules").glob("*.smk"))


def test_the_short_name_and_the_partitions_are_found_from_the_top():
    assert (ROOT / "slurm").resolve() == ROOT / "profiles" / "slurm"
    limits = yaml.safe_load((ROOT / PROFILE["slurm-partition-config"]).read_text())["partitions"]
    assert any(one.get("max_gpu") for one in limits.values()) and any("max_gpu" not in one for one in limits.values())


def test_every_job_that_uses_a_gpu_asks_for_what_it_needs(jobs, sizing):
    folder = "results/small/runs"
    tuned, base = "mini/wildchat", "mini/base"
    needs = {
        f"{folder}/{tuned}/trajectory": ("sft", sizing.need("sft", {"run": tuned})),
        f"{folder}/{tuned}/ppo-synthetic-oppose/trajectory": ("ppo", sizing.need("ppo", {"run": f"{tuned}/ppo-synthetic-oppose"})),
        f"{folder}/{tuned}/dpo-synthetic-oppose/trajectory": ("dpo", sizing.need("dpo", {"run": f"{tuned}/dpo-synthetic-oppose"})),
        "results/small/rewards/mini/wildchat/synthetic-oppose/trajectory": (
            "reward",
            sizing.need("reward", {"reward": "mini/wildchat/synthetic-oppose"}),
        ),
        f"{folder}/{base}/generations.parquet": ("generations", sizing.need("generations", {"run": base})),
        f"{folder}/{base}/stances/mini-judge.parquet": ("stances", sizing.need("stances", {"run": base, "judge": "mini-judge"})),
        "results/small/prompts/value_laden.parquet": ("value_laden", sizing.need("value_laden", {})),
    }
    for output, (rule, need) in needs.items():
        found, threads, asked = jobs[output]
        assert (found, threads) == (rule, need.threads)
        assert [int(asked[key]) for key in ("gpu", "mem_mb", "runtime")] == [need.gpus, need.megabytes(1), need.minutes(1)]
    gpus = {rule: need.gpus for rule, need in needs.values()}
    assert gpus["ppo"] > gpus["sft"] > 1 == gpus["generations"] and gpus["value_laden"] == 4
    assert needs[f"{folder}/{tuned}/trajectory"][1].threads == 6 * gpus["sft"]


def test_other_jobs_ask_for_no_gpu_and_all_keep_to_one_node_and_get_a_signal_before_their_end(jobs):
    using = {"sft", "ppo", "dpo", "reward", "generations", "stances", "order_check", "cluster_names", "value_laden"}
    for rule, _, asked in jobs.values():
        assert rule in using or int(asked.get("gpu", 0)) == 0
        assert asked["nodes"] == "1" and asked["slurm_extra"] == "--signal=TERM@300"
    assert {rule for rule, _, _ in jobs.values()} >= using | {"embeddings", "reduction", "miniature_judge"}


def test_small_steps_and_steps_that_call_a_service_are_not_submitted(clone):
    local = local_rules(clone, STUDY)
    assert {
        "values",
        "drift",
        "study_drift",
        "drift_table",
        "figure",
        "report",
        "questions",
        "prompts",
        "hub_model",
        "all",
    } <= local
    assert {"service_stances", "service_order_check"} <= local
    heavy = {
        "sft",
        "ppo",
        "dpo",
        "simpo",
        "reward",
        "base",
        "generations",
        "stances",
        "order_check",
        "embeddings",
        "candidates",
        "sft_set",
    }
    assert not local & {*heavy, "preference_set", "cluster_names", "value_laden"}
