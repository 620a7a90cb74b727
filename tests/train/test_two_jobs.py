"""A training whose node was taken for lost while it kept running, and the job that started it again."""

import pytest

from valuedrift.errors import UserError
from valuedrift.train.trajectory import workspace


def test_the_one_that_lost_its_place_writes_nothing_more_and_leaves_the_other_alone(tmp_path):
    with workspace(tmp_path, "same") as now:
        with pytest.raises(UserError, match="another job has started to make"), workspace(tmp_path, "same") as lost:
            now.open("same")
            now.keep(lambda folder: (folder / "weights").write_text("now"))
            lost.keep(lambda folder: (folder / "weights").write_text("lost"))
        with pytest.raises(UserError, match="another job has started"):
            lost.finish({}, [])
        assert now.state and (now.state / "weights").read_text() == "now"
        now.keep(lambda folder: None)
