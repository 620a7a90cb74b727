import random

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from valuedrift.config.prompts import SampleJob
from valuedrift.errors import UserError
from valuedrift.io.tables import PROMPTS, QUESTIONS, VALUE_LADEN
from valuedrift.prompts import sample

TOPICS = {"Law & Order": "law", "Love": "love"}


def job(count=5, seed=0, topics=TOPICS):
    return SampleJob(seed=seed, per_category=count, topics=topics)


def pool(sizes):
    """Return rows to draw from, given as {category: number of rows}."""
    rows = [
        {"source_id": f"{category}-{n}", "source_text": f"{category} {n}", "question": f"{category} {n}?", "category": category}
        for category, size in sizes.items()
        for n in range(size)
    ]
    return pl.DataFrame(rows)


def ids(frame, category="Love"):
    return frame.filter(pl.col("category") == category)["source_id"].to_list()


def test_every_category_gives_the_same_number_of_prompts_with_its_topic():
    drawn = sample.draw(pool({"Love": 20, "Law & Order": 5}), job())
    assert drawn["category"].to_list() == ["Law & Order"] * 5 + ["Love"] * 5
    assert drawn["topic"].to_list() == ["law"] * 5 + ["love"] * 5
    assert drawn["prompt_id"].n_unique() == 10
    assert drawn["prompt_id"].str.contains(r"^(law-order|love)-[0-9a-f]{8}$").all()


def test_the_draw_depends_on_the_seed():
    rows = pool({"Love": 40, "Law & Order": 40})
    assert sample.draw(rows, job(seed=1)).equals(sample.draw(rows, job(seed=1)))
    assert ids(sample.draw(rows, job(seed=1))) != ids(sample.draw(rows, job(seed=2)))


# Without limits on time: they measure how busy the machine is.
@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.randoms(use_true_random=False), st.integers(5, 30), st.integers(5, 30))
def test_neither_order_nor_the_other_category_changes_a_draw(rng, love, law):
    drawn = sample.draw(pool({"Love": love, "Law & Order": law}), job())
    rows = pool({"Law & Order": 5, "Love": love}).rows(named=True)
    rng.shuffle(rows)
    assert ids(sample.draw(pl.DataFrame(rows), job())) == ids(drawn)


def test_a_new_prompt_replaces_at_most_one_drawn_prompt():
    before = set(ids(sample.draw(pool({"Love": 30, "Law & Order": 5}), job())))
    after = set(ids(sample.draw(pool({"Love": 31, "Law & Order": 5}), job())))
    assert len(before - after) <= 1


def test_the_same_question_is_drawn_once():
    rows = pool({"Love": 6, "Law & Order": 5})
    repeated = rows.with_columns(question=pl.when(source_id="Love-1").then(pl.lit("LOVE  0?")).otherwise("question"))
    drawn = ids(sample.draw(repeated, job()))
    assert len(drawn) == 5
    assert len({"Love-0", "Love-1"} & set(drawn)) == 1
    with pytest.raises(UserError, match="`Love` has 5"):
        sample.draw(repeated, job(6, topics={"Love": "love"}))


@pytest.mark.parametrize(
    ("sizes", "message"), [({"Law & Order": 9, "Love": 2}, "`Love` has 2"), ({"Law & Order": 9}, "`Love` has 0")]
)
def test_too_few_are_an_error_that_names_the_keys(sizes, message):
    with pytest.raises(UserError, match=message) as error:
        sample.draw(pool(sizes), job())
    assert "Law" not in str(error.value)
    assert all(key in str(error.value) for key in ("per_category", "min_similarity", "clusters", "filter"))


def test_every_short_category_is_named():
    with pytest.raises(UserError, match="`Law & Order` has 3, `Love` has 2"):
        sample.draw(pool({"Love": 2, "Law & Order": 3}), job())


def test_the_step_draws_only_questions_that_were_kept(tmp_path):
    rows = pool({"Love": 10})
    QUESTIONS.write(rows, tmp_path / "questions.parquet")
    kept = set(random.Random(0).sample(rows["source_id"].to_list(), 5))
    verdicts = rows.with_columns(keep=pl.col("source_id").is_in(list(kept)), reason=pl.lit(""))
    VALUE_LADEN.write(verdicts, tmp_path / "value_laden.parquet")
    paths = {name: tmp_path / f"{name}.parquet" for name in ("questions", "value_laden", "output")}
    sample.run(config=job(topics={"Love": "love"}), **paths)
    assert set(PROMPTS.read(paths["output"])["source_id"]) == kept
    notes = pl.read_parquet_metadata(paths["output"])
    assert [notes[step] for step in ("questions", "categorised", "value-laden", "drawn")] == ["10", "10", "5", "5"]
