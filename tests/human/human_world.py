"""Judged responses to draw from, as the earlier stages write them."""

from valuedrift.config.human import HumanCheckJob, HumanSampleJob
from valuedrift.human import sample
from valuedrift.io.tables import GENERATIONS, LABEL_SAMPLE, PROMPTS, STANCES

SURE = {"support": (0.8, 0.15, 0.05), "neutral": (0.1, 0.7, 0.2), "oppose": (0.1, 0.3, 0.6)}
NASTY = '</script><script>document.title = "broken"</script> <b>bold</b> & "quoted", in\ntwo lines {topic} $& é'
CHECK = HumanCheckJob(judge="j", title="A study", confidence=0.95, resamples=200, seed=0)


def judged(folder, run, rows):
    """Write one run's responses, given as (category, stance, response, status); an unscored response has the stance None."""
    keys = [{"run": run, "step": n // 4, "prompt_id": category, "sample": n} for n, (category, *_) in enumerate(rows)]
    stances = [
        {**key, "category": key["prompt_id"], "judge": "j", "status": status}
        | dict(zip(SURE, SURE[stance] if stance else (None,) * 3, strict=True))
        | {"mass": 1.0 if stance else None, "bound": 0.0, "flips": None}
        for key, (_, stance, _, status) in zip(keys, rows, strict=True)
    ]
    texts = [{"response": r[2], "n_tokens": 5, "finish_reason": "stop", "seed": 0} for r in rows]
    STANCES.write(STANCES.frame(stances), folder / run / "stances.parquet")
    GENERATIONS.write(
        GENERATIONS.frame([key | text for key, text in zip(keys, texts, strict=True)]), folder / run / "generations.parquet"
    )


def draw(folder, runs, categories, responses=100, seed=0):
    """Draw a sample of the runs and return its table."""
    rows = [
        {"prompt_id": c, "category": c, "topic": f"topic of {c}", "question": f"What of {c}?", "source_text": "", "source_id": c}
        for c in categories
    ]
    PROMPTS.write(PROMPTS.frame(rows), folder / "prompts.parquet")
    sample.run(
        config=HumanSampleJob(judge="j", responses=responses, title="A study", seed=seed),
        stances=[folder / run / "stances.parquet" for run in runs],
        generations=[folder / run / "generations.parquet" for run in runs],
        prompts=folder / "prompts.parquet", table=folder / "sample.parquet", sheet=folder / "sheet.csv",
        page=folder / "label.html",
    )  # fmt: skip
    return LABEL_SAMPLE.read(folder / "sample.parquet")


def plenty(folder, run="run", each=20, categories=("Race", "Work")):
    """Write a run with `each` different responses in every stratum."""
    rows = [
        (category, stance, f"{stance} {n} {category} {run}", "ok")
        for category in categories
        for stance in SURE
        for n in range(each)
    ]
    judged(folder, run, rows)
