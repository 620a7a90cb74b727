import re
from pathlib import Path

import pytest
import yaml

ENVS = Path(__file__).parents[1] / "envs"
PIN = re.compile(r"([A-Za-z0-9._-]+)==([^\s;]+)")
LOCK = {
    name.lower().replace("_", "-"): version
    for file in ("lock.txt", "minilm.txt")
    for name, version in PIN.findall((ENVS / file).read_text())
}


@pytest.mark.parametrize("env", sorted(path.name for path in ENVS.glob("*.yaml")))
def test_conda_envs_pin_exactly_what_pip_installs(env):
    *conda, pip = yaml.safe_load((ENVS / env).read_text())["dependencies"]
    assert conda[0] == "python=3.11"
    for line in pip["pip"]:
        name, version = PIN.fullmatch(line).groups()
        assert LOCK[name.lower().replace("_", "-")] == version


def test_every_rule_names_an_env_that_is_there():
    rules = (ENVS.parent / "workflow" / "rules").glob("*.smk")
    named = {name for path in rules for name in re.findall(r"envs/(\w+\.yaml)", path.read_text())}
    assert named == {path.name for path in ENVS.glob("*.yaml")}
