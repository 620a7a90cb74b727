"""The package's import graph, built once."""

import grimp
import pytest


@pytest.fixture(scope="session")
def graph():
    """Every import of the package, those inside functions too, as import-linter's grimp sees them."""
    return grimp.build_graph("valuedrift", cache_dir=None)
