"""What trainings measure on examples that they do not learn from."""

from pathlib import Path

import polars as pl
import pytest
import torch
from training_jobs import ANSWER, QUESTION, job
from transformers import AutoModelForCausalLM, AutoModelForSequenceClassification, AutoTokenizer

from valuedrift.io.tables import SFT_SET, TRAINING_LOG
from valuedrift.train import reward, sft
from valuedrift.train.pairs import load_pairs

VALIDATION = [
    [{"role": "user", "content": QUESTION}, {"role": "assistant", "content": " ".join([ANSWER] * many)}] for many in (1, 4, 2, 1, 3)
]


@pytest.fixture(scope="module")
def split(tmp_path_factory) -> Path:
    """16 conversations to learn from, five of other lengths to measure."""
    path = tmp_path_factory.mktemp("split") / "sft.parquet"
    turns = [VALIDATION[i % 5] for i in range(16)] + VALIDATION
    rows = [{"row": i, "split": "train" if i < 16 else "validation", "messages": messages} for i, messages in enumerate(turns)]
    SFT_SET.write(SFT_SET.frame(rows), path)
    return path


def logged(folder: Path, metric: str) -> dict[int, float]:
    return dict(
        TRAINING_LOG.read(folder / "training_log.parquet").filter(pl.col("metric") == metric).select("step", "value").rows()
    )


def token_loss(folder: Path, tokenizer, dialogues) -> float:
    """Return the mean loss over the tokens of the answers and their ends."""
    model, losses = AutoModelForCausalLM.from_pretrained(folder).eval(), []
    for turns in dialogues:
        prompt = tokenizer.apply_chat_template(turns[:-1], add_generation_prompt=True)["input_ids"]
        ids = tokenizer.apply_chat_template(turns)["input_ids"]
        with torch.no_grad():
            logprobs = model(torch.tensor([ids])).logits[0, :-1].log_softmax(-1)
        losses += [-float(logprobs[at - 1, ids[at]]) for at in range(len(prompt), len(ids))]
    return sum(losses) / len(losses)


@pytest.mark.parametrize("settings", [{}, {"packing": False, "heldout": 3}], ids=str)
def test_the_validation_loss_is_that_of_the_answers_tokens(settings, tiny_base, split, tmp_path):
    config = job("sft", learning_rate=1e-3, device_batch_size=2, max_length=128, **settings)
    sft.run(config=config, parent=tiny_base / "manifest.json", data=split, output=tmp_path)
    measured = VALIDATION[: settings.get("heldout")]
    tokenizer = AutoTokenizer.from_pretrained(tmp_path / "final")  # the base's with the template
    folders = {0: tiny_base / "final", 1: tmp_path / "trajectory/step-1", 2: tmp_path / "final"}
    expected = {step: token_loss(folder, tokenizer, measured) for step, folder in folders.items()}
    assert logged(tmp_path, "validation_loss") == pytest.approx(expected, rel=1e-4)
    assert expected[0] > expected[1] > expected[2]
    assert logged(tmp_path, "validation_rows") == dict.fromkeys(expected, len(measured))


def test_measuring_changes_no_weight(tiny_base, split, tmp_path):
    """To the byte, with dropout, which draws random numbers at every step."""
    for heldout in (0, 5):
        config = job("sft", learning_rate=1e-3, epochs=2, max_length=128, heldout=heldout, lora={"rank": 4, "dropout": 0.2})
        sft.run(config=config, parent=tiny_base / "manifest.json", data=split, output=tmp_path / str(heldout))
    weights = [(tmp_path / name / "final/model.safetensors").read_bytes() for name in ("0", "5")]
    assert weights[0] == weights[1]
    logs = [TRAINING_LOG.read(tmp_path / name / "training_log.parquet") for name in ("0", "5")]
    assert logs[0].equals(logs[1].filter(~pl.col("metric").str.starts_with("validation_")))
    assert logs[1].height > logs[0].height


def test_a_reward_models_accuracy_is_on_pairs_that_it_has_not_seen(tuned, pairs, tmp_path):
    config = job("reward", chosen="support", learning_rate=3e-4, device_batch_size=4)
    reward.run(config=config, parent=tuned / "manifest.json", data=pairs, output=tmp_path)
    tokenizer = AutoTokenizer.from_pretrained(tmp_path / "final")
    model = AutoModelForSequenceClassification.from_pretrained(tmp_path / "final").eval()

    def score(prompt, answer) -> float:
        ids = tokenizer.apply_chat_template([*prompt, {"role": "assistant", "content": answer}])["input_ids"]
        with torch.no_grad():
            return float(model(torch.tensor([ids])).logits)

    rows = load_pairs(pairs, "support", "validation").to_dicts()
    right = [score(row["prompt"], row["chosen"]) > score(row["prompt"], row["rejected"]) for row in rows]
    assert len(rows) == 15 and logged(tmp_path, "validation_rows")[5] == 15
    assert logged(tmp_path, "validation_accuracy")[5] == pytest.approx(sum(right) / 15)


def test_a_set_without_validation_rows_measures_nothing(tiny_base, split, tmp_path):
    SFT_SET.write(SFT_SET.read(split).filter(pl.col("split") == "train"), tmp_path / "sft.parquet")
    sft.run(
        config=job("sft", max_length=128),
        parent=tiny_base / "manifest.json",
        data=tmp_path / "sft.parquet",
        output=tmp_path / "run",
    )
    assert not logged(tmp_path / "run", "validation_loss") and logged(tmp_path / "run", "loss")
