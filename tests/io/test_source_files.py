"""Which source files are inputs of a step: checked against an import sys
import graph that another library makes."""

import re
import sys

import pytest

from valuedrift.io.source_files import DECISIVE, NOT_DECISIVE, ROOT, function_sources, has_function, sources

RULES = ROOT.parents[2] / "workflow" / "rules"
DOWNLOADS = {"hub.dataset", "hub.model"}
"""Steps without sources: a commit of the hub cannot come out differently."""


def steps_of_rules():
    """Return the steps that the rules' commands run, and those whose sources they list."""
    run, listed, shells = set(), set(), {}
    for path in RULES.glob("*.smk"):
        text = path.read_text()
        listed |= set(re.findall(r'sources=(?:lambda wildcards: )?sources\(\s*"([\w.]+)"', text))
        for base, name, block in re.findall(
            r"^(?:use rule (\w+) as|rule) (\w+)(?: with)?:\n((?:    .*\n|\n)*)", text, re.MULTILINE
        ):
            shells[name] = re.findall(r"-m valuedrift\.(\w+) (\S+)", block) or shells.get(base, [])
            given = re.findall(r'\bcommand="(\w+)"', block)
            run |= {
                f"{stage}.{given[0] if given else name if step == '{params.command}' else step}" for stage, step in shells[name]
            }
    return run, listed


STEPS = sorted(steps_of_rules()[1])


def listed_by(names):
    """Return the entry of NOT_DECISIVE under which a module falls, or None."""
    return next((entry for entry in (names, names.partition(".")[0]) if entry in NOT_DECISIVE and names not in DECISIVE), None)


def files_of(modules):
    return {(path if (path := ROOT.joinpath(*name.split(".")).with_suffix(".py")).exists() else path.with_suffix("") / "__init__.py") for name in modules}  # fmt: skip


def imported_by(graph, step):
    """Return the modules of the package that a step loads, and the entries of NOT_DECISIVE at which the search stopped."""
    found, stopped, waiting = set(), set(), [step]
    while waiting:
        name = waiting.pop()
        if (entry := listed_by(name)) is not None:
            stopped.add(entry)
        elif name not in found:
            found.add(name)
            imported = {
                other.removeprefix("valuedrift").removeprefix(".")
                for other in graph.find_modules_directly_imported_by(f"valuedrift.{name}")
            }
            waiting += [*imported, name.rpartition(".")[0]]
    return found, stopped


def test_every_step_that_a_rule_runs_has_its_sources_as_a_param():
    run, listed = steps_of_rules()
    assert run == listed | DOWNLOADS and len(listed) > 40


@pytest.mark.parametrize("step", STEPS)
def test_an_edit_of_any_module_that_a_step_imports_reruns_it_unless_it_is_listed_as_not_decisive(graph, step):
    found, _ = imported_by(graph, step)
    assert {path for path in sources(step) if path.suffix == ".py"} == files_of(found)


def test_no_entry_of_the_tables_is_stale(graph):
    found, stopped = (set().union(*of) for of in zip(*(imported_by(graph, step) for step in STEPS), strict=True))
    assert stopped == set(NOT_DECISIVE)
    assert set(DECISIVE) <= found
    assert all(listed_by(name.partition(".")[0]) for name in DECISIVE)


def test_steps_take_nothing_but_models_and_types_from_the_modules_of_the_config_that_are_not_decisive(graph):
    """A constant or a function there would change what a step writes without a change in its params."""
    found = set().union(*(imported_by(graph, step)[0] for step in STEPS))
    taken = set()
    for name in found:
        for module in graph.find_modules_directly_imported_by(f"valuedrift.{name}"):
            if listed_by(module.removeprefix("valuedrift.")) == "config":
                for detail in graph.get_import_details(importer=f"valuedrift.{name}", imported=module):
                    taken |= set(re.findall(r"\w+", detail["line_contents"].partition(" import ")[2]))
    assert taken > {"TrainingJob", "ChatJob"}
    # `nearest` suggests a name in an error message.
    assert {name for name in taken if not re.fullmatch(r"([A-Z][a-z0-9]+)+", name)} == {"nearest"}


@pytest.mark.parametrize(
    ("edited", "rerun", "not_rerun"),
    [
        ("chat/completion.py", {"judge.stances", "prompts.names", "prompts.questions", "synthetic.answers"}, {"train.sft", "generate.responses"}),
        ("chat/pace.py", set(), {"judge.stances", "prompts.names"}),
        ("train/dpo.py", {"train.dpo"}, {"train.sft", "train.simpo", "train.ppo", "train.reward"}),
        ("train/ppo/loss.py", {"train.ppo"}, {"train.sft", "train.dpo", "train.reward"}),
        ("train/trajectory.py", {"train.sft", "train.dpo", "train.ppo"}, {"generate.responses"}),
        ("io/records.py", {"data.sft", "data.preferences", "prompts.raw"}, {"train.sft", "judge.stances"}),
        ("io/tables.py", set(), set(STEPS)),
        ("config/report.py", set(), set(STEPS)),
        ("config/base.py", {"judge.stances", "report.figure"}, {"train.sft", "generate.responses"}),
        ("lm/decoding.py", {"generate.responses", "train.ppo"}, {"train.sft"}),
        ("stats/intervals.py", {"drift.values", "drift.magnitude_and_time"}, {"judge.stances"}),
        ("judge/local.py", {"judge.stances"}, {"generate.responses"}),  # imported inside a function
        ("report/report.css", {"report.page"}, {"report.figure"}),
        ("report/report.html.j2", {"report.page"}, {"report.judges_page"}),
    ],
)  # fmt: skip
def test_an_edit_reruns_the_steps_whose_output_it_can_change_and_no_others(edited, rerun, not_rerun):
    with_it = {step for step in STEPS if ROOT / edited in sources(step)}
    assert rerun <= with_it
    assert not with_it & not_rerun


def test_every_template_is_a_source_of_a_step():
    listed = {path for step in STEPS for path in sources(step)}
    assert {path for path in ROOT.rglob("*") if path.suffix in (".j2", ".css")} <= listed


def test_a_judges_function_brings_its_files():
    assert ROOT / "miniature" / "grammar.py" in function_sources("valuedrift.miniature.oracle:judge")
    assert function_sources("json:loads")[0].parent.name == "json"
    assert function_sources("no_such_module:judge") == function_sources("json") == []
    assert has_function("valuedrift.miniature.oracle:judge") and not has_function("valuedrift.miniature.oracle:jury")


@pytest.fixture
def packages(tmp_path, monkeypatch):
    """Packages that end the process when they are imported, with judges in modules below them."""
    for package in ("loud", "loud/inner", "plain"):
        (tmp_path / package).mkdir()
        if package != "plain":
            (tmp_path / package / "__init__.py").write_text("raise SystemExit('imported')\n")
    source = "raise SystemExit('run')\n"
    judges = "def judge(): pass\nif True:\n    later = judge\ntry:\n    import x as other, a.b\nexcept ImportError:\n    a, (b, c) = 1, (2, 3)\n"
    for place in ("loud/mine", "loud/inner/mine", "plain/mine"):
        (tmp_path / f"{place}.py").write_text(source + judges + "def f():\n    local = 1\n'judge_in_text = 1'\n")
    (tmp_path / "plain" / "broken.py").write_text("def judge(:\n")
    (tmp_path / "plain" / "open.py").write_text("from json import *\n")
    monkeypatch.syspath_prepend(tmp_path)
    return tmp_path


@pytest.mark.parametrize("module", ["loud.mine", "loud.inner.mine", "plain.mine"])
def test_a_judges_function_is_found_without_running_its_packages(packages, module):
    assert function_sources(f"{module}:judge") == [packages / f"{module.replace('.', '/')}.py"]
    assert all(has_function(f"{module}:{name}") for name in ("judge", "later", "other", "a", "b", "c", "f"))
    assert not any(has_function(f"{module}:{name}") for name in ("local", "judge_in_text", "x", "jury"))
    assert not [name for name in sys.modules if name.startswith(("loud", "plain"))]


def test_what_is_no_module_is_not_found(packages):
    for module in ("loud.none", "loud.mine.deeper", "none.mine", "", ".", "loud.", "..mine", "loud.mine;x", "builtins"):
        assert function_sources(f"{module}:judge") == []
    assert has_function("plain.open:loads")
    with pytest.raises(SyntaxError):
        has_function("plain.broken:judge")
