import json

import polars as pl
import pytest

from valuedrift.config.data import MixtureJob
from valuedrift.data import mixture
from valuedrift.errors import UserError
from valuedrift.io.tables import PREFERENCE_SET
from valuedrift.train.pairs import load_pairs


def preference_set(path, rows, synthetic):
    text = {"support": "s", "oppose": "o", "neutral": None} if synthetic else {"chosen": "c", "rejected": "r"}
    empty = dict.fromkeys(("chosen", "rejected", "support", "oppose", "neutral"))
    frame = [
        {"row": i, "split": "validation" if i >= rows * 0.8 else "train", "prompt": [{"role": "user", "content": f"{synthetic} {i}"}]}
        | empty | text
        for i in range(rows)
    ]  # fmt: skip
    PREFERENCE_SET.write(PREFERENCE_SET.frame(frame), path)
    return path


@pytest.fixture
def sets(tmp_path):
    return {
        "gap": preference_set(tmp_path / "gap.parquet", 50, True),
        "rest": preference_set(tmp_path / "rest.parquet", 100, False),
    }


def mix(sets, folder, share, rows=None):
    output, counts = folder / f"{share}.parquet", folder / f"{share}.json"
    mixture.run(config=MixtureJob(share=share, rows=rows, seed=0), **sets, output=output, counts=counts)
    return PREFERENCE_SET.read(output), json.loads(counts.read_text())


def prompts(frame, gap):
    chosen = frame.filter(
        (pl.col("split") == "train") & (pl.col("support").is_not_null() if gap else pl.col("chosen").is_not_null())
    )
    return {turns[0]["content"] for turns in chosen["prompt"].to_list()}


def test_a_mixture_has_its_share_and_the_same_size_for_every_share(sets, tmp_path):
    for share, pairs in ((0, 0), (0.25, 10), (0.5, 20), (1, 40)):
        frame, counts = mix(sets, tmp_path, share)
        assert len(prompts(frame, gap=True)) == pairs == counts["train pairs with a gap"]
        assert counts["train"] == 40 and counts["validation"] == 10
        assert frame["row"].to_list() == list(range(50))


def test_a_larger_share_only_exchanges_pairs(sets, tmp_path):
    (some, _), (more, _) = mix(sets, tmp_path, 0.25), mix(sets, tmp_path, 0.5)
    assert prompts(some, gap=True) < prompts(more, gap=True)
    assert prompts(more, gap=False) < prompts(some, gap=False)


def test_only_pairs_with_a_gap_follow_the_labelling(sets, tmp_path):
    mix(sets, tmp_path, 0.5)
    for chosen, other in (("support", "oppose"), ("oppose", "support")):
        pairs = load_pairs(tmp_path / "0.5.parquet", chosen)
        assert pairs.group_by("chosen", "rejected").len().sort("chosen").rows() == sorted(
            [("c", "r", 20), (chosen[0], other[0], 20)]
        )


def test_too_many_rows_are_an_error(sets, tmp_path):
    assert mix(sets, tmp_path, 0.5, rows=60)[1]["train"] == 60
    with pytest.raises(UserError, match="the mixture's `gap` set has 40 train rows, 60 are needed: lower its `rows`"):
        mix(sets, tmp_path, 1, rows=60)
