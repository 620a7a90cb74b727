"""The house's own rules of who may import whom, on the graph of all imports, those inside functions too."""

from itertools import pairwise

import networkx
import pytest

from valuedrift.io.source_files import ROOT

STAGES = {
    "hub", "prompts", "data", "synthetic", "train", "generate", "judge", "human", "drift", "downstream", "report", "miniature",
}  # fmt: skip
LAYERS = [{"errors"}, {"config", "io", "stats"}, {"lm", "chat"}, {"study"}, {"sizing", "cluster"}, {"manage"}]
"""Rooms of shared logic, lowest first: each imports only rooms of lower layers and of its own."""
LOOSE = {"errors.py", "cli.py", "__init__.py", "__main__.py"}


def room(module):
    return module.split(".")[1] if "." in module else ""


@pytest.fixture(scope="session")
def imports(graph):
    """Pairs (importer, imported) of the package's modules."""
    return {(a, b) for a in graph.modules for b in graph.find_modules_directly_imported_by(a)}


def test_no_modules_import_each_other_in_a_circle(imports):
    assert list(networkx.simple_cycles(networkx.DiGraph(imports))) == []


def test_rooms_of_shared_logic_import_no_stage(imports):
    shared = set().union(*LAYERS)
    assert {(a, b) for a, b in imports if room(a) in shared and room(b) in STAGES} == set()


def test_stages_import_no_other_stage_and_neither_the_study_nor_what_is_above_it(imports):
    above = {"study", "sizing", "cluster", "manage"}
    assert {(a, b) for a, b in imports if room(a) in STAGES and room(b) in (STAGES | above) - {room(a)}} == set()


def test_rooms_of_shared_logic_import_only_those_below(imports):
    for lower, higher in pairwise(range(len(LAYERS))):
        above = set().union(*LAYERS[higher:])
        assert {(a, b) for a, b in imports if room(a) in LAYERS[lower] and room(b) in above} == set()


def test_every_room_is_a_stage_or_a_layer_and_only_errors_and_the_command_line_lie_loose():
    rooms = {path.name for path in ROOT.iterdir() if (path / "__init__.py").exists()}
    assert rooms == STAGES | set().union(*LAYERS) - {"errors"}
    assert {path.name for path in ROOT.glob("*.py")} == LOOSE
