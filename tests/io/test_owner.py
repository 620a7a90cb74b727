"""Two jobs that make one output: the one that was started last publishes it."""

import pytest

from valuedrift.errors import UserError
from valuedrift.io.owner import owned


def test_the_job_that_started_last_is_the_owner_also_when_it_has_ended(tmp_path):
    output = tmp_path / "folder" / "table.parquet"
    with owned(output) as lost:
        lost.ensure()
        with owned(output) as now:
            now.ensure()
            with pytest.raises(UserError, match="another job has started to make"):
                lost.ensure()
        with pytest.raises(UserError, match="another job has started to make"):
            lost.ensure()
    assert list(output.parent.iterdir()) == []


def test_a_job_that_was_killed_stands_in_nobodys_way(tmp_path):
    output = tmp_path / "table.parquet"
    (tmp_path / ".table.parquet.owner").write_text("gone")
    with owned(output) as owner:
        owner.ensure()
    assert list(tmp_path.iterdir()) == []


def test_a_job_that_lost_its_place_leaves_the_others_claim(tmp_path):
    output = tmp_path / "table.parquet"
    with owned(output) as now, owned(output) as lost:
        now.take()
        with pytest.raises(UserError):
            lost.ensure()
    assert list(tmp_path.iterdir()) == []
