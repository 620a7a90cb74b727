import re
import subprocess
import sys
from pathlib import Path

import pytest

from valuedrift import cli
from valuedrift.io.source_files import ROOT, function_sources, sources

STEPS = [
    f"{path.parent.name}.{path.stem}"
    for path in sorted(Path(cli.__file__).parent.glob("*/*.py"))
    if path.parent.name not in ("config", "__pycache__") and "\ndef run(" in path.read_text()
]
IMPORTED = "import sys, valuedrift.{0}; print(*(m.__file__ for n, m in sys.modules.items() if n.startswith('valuedrift.{1}')))"


@pytest.mark.parametrize("step", STEPS)
def test_a_steps_sources_hold_all_that_importing_it_loads_of_its_stage(step):
    command_line = [sys.executable, "-c", IMPORTED.format(step, step.partition(".")[0])]
    loaded = subprocess.run(command_line, capture_output=True, text=True, check=True).stdout.split()
    listed = {str(path) for path in sources(step)}
    assert set(loaded) <= listed
    assert {Path(path).parent.name for path in listed} - {"valuedrift", "chat"} == {step.partition(".")[0]}


def test_the_reports_template_and_style_are_its_sources():
    assert {ROOT / "report" / "report.html.j2", ROOT / "report" / "report.css"} <= set(sources("report.html"))
    assert ROOT / "report" / "report.css" not in sources("report.figure")


def test_one_algorithms_code_is_no_source_of_another():
    assert ROOT / "train" / "dpo.py" not in sources("train.sft")
    assert ROOT / "train" / "trajectory.py" in sources("train.sft")


def test_what_counts_as_malformed_is_a_source_of_all_that_reads_rows():
    for step in ("data.sft", "data.preferences", "prompts.raw"):
        assert ROOT / "rows.py" in sources(step)
    assert ROOT / "rows.py" not in sources("train.sft")


def test_an_import_inside_a_function_counts():
    assert ROOT / "judge" / "local.py" in sources("judge.stances")


def test_a_judges_function_brings_its_files():
    assert ROOT / "miniature" / "grammar.py" in function_sources("valuedrift.miniature.oracle:judge")
    assert function_sources("json:loads")[0].parent.name == "json"


def test_stages_do_not_import_each_other():
    stages = {step.partition(".")[0] for step in STEPS}
    for stage in stages:
        for path in (ROOT / stage).glob("*.py"):
            others = [other for other in stages - {stage} if re.search(rf"valuedrift\.{other}\b", path.read_text())]
            assert others == [], f"{path} names {others}"
