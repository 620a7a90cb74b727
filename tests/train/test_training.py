"""Real trainings of the tiny model, a few seconds each."""

import importlib
import json
from pathlib import Path

import polars as pl
import pytest
import torch
from safetensors import safe_open
from training_jobs import ANSWER, QUESTION, job
from transformers import AutoModelForCausalLM, AutoTokenizer, TrainingArguments

from valuedrift.config.data import DatasetJob
from valuedrift.config.models import ModelConfig
from valuedrift.config.train import Checkpoints
from valuedrift.data import preferences
from valuedrift.errors import UserError
from valuedrift.io.tables import PREFERENCE_SET, TRAINING_LOG
from valuedrift.train import dpo, sft, simpo
from valuedrift.train.arguments import trainer_arguments
from valuedrift.train.model import load_tokenizer
from valuedrift.train.pairs import fitting, load_pairs
from valuedrift.train.trajectory import checkpoint_steps, described


def logged(folder: Path, metric: str) -> list[float]:
    return TRAINING_LOG.read(folder / "training_log.parquet").filter(pl.col("metric") == metric).sort("step")["value"].to_list()


def likelihood_margin(folder: Path, pairs: Path, chosen: str) -> float:
    """Return how much more likely than the rejected answers the chosen ones are, in nats per token, mean over eight pairs."""
    tokenizer = load_tokenizer(folder, ModelConfig(path="x"))
    model = AutoModelForCausalLM.from_pretrained(folder).eval()

    def likelihood(prompt: list[dict[str, str]], answer: str) -> float:
        start = tokenizer.apply_chat_template(prompt, add_generation_prompt=True)["input_ids"]
        ids = torch.tensor([tokenizer.apply_chat_template([*prompt, {"role": "assistant", "content": answer}])["input_ids"]])
        labels = ids.clone()
        labels[:, : len(start)] = -100
        with torch.no_grad():
            return -float(model(input_ids=ids, labels=labels).loss)

    rows = load_pairs(pairs, chosen).head(8).to_dicts()
    return sum(likelihood(row["prompt"], row["chosen"]) - likelihood(row["prompt"], row["rejected"]) for row in rows) / len(rows)


def test_sft_learns_the_answer_and_its_end(tuned):
    """One dialogue, repeated: greedy decoding under the template gives the answer and stops, so the end token was trained too."""
    tokenizer, model = AutoTokenizer.from_pretrained(tuned / "final"), AutoModelForCausalLM.from_pretrained(tuned / "final")
    prompt = tokenizer.apply_chat_template([{"role": "user", "content": QUESTION}], add_generation_prompt=True, tokenize=False)
    assert prompt == f"User: {QUESTION}\nAssistant:"
    ids = tokenizer(prompt, return_tensors="pt")
    output = model.generate(**ids, do_sample=False, max_new_tokens=40, pad_token_id=tokenizer.pad_token_id)[
        0, ids["input_ids"].shape[1] :
    ]
    assert output[-1] == tokenizer.eos_token_id
    assert tokenizer.decode(output, skip_special_tokens=True).strip() == ANSWER


def test_a_trajectory_follows_its_schedule_and_the_manifest_describes_it(tuned, tiny_base):
    manifest = json.loads((tuned / "manifest.json").read_text())
    assert [c["step"] for c in manifest["checkpoints"]] == [15, 30, 40]
    assert manifest["total_steps"] == 40 and manifest["rows"] == 320 and manifest["chat"] and manifest["seed"] == 3
    assert manifest["parent_hash"] == described(tiny_base / "final")["hash"]
    assert [c["hash"] for c in manifest["checkpoints"]] == [described(tuned / c["path"])["hash"] for c in manifest["checkpoints"]]
    assert len({c["hash"] for c in manifest["checkpoints"]}) == 3
    assert described(tuned / "final")["hash"] == manifest["checkpoints"][-1]["hash"]
    assert {"torch", "transformers", "trl", "python"} <= set(manifest["versions"])


def test_only_safetensors_are_left_and_no_scratch(tuned):
    files = [path for path in tuned.rglob("*") if path.is_file()]
    assert {path.suffix for path in files} <= {".json", ".jinja", ".safetensors", ".parquet"}
    assert [path.name for path in tuned.iterdir() if path.name.startswith(".")] == []


def test_no_tokens_are_added_and_the_end_token_stays(tuned, tiny_base):
    before, after = (AutoTokenizer.from_pretrained(folder / "final") for folder in (tiny_base, tuned))
    assert before.get_vocab() == after.get_vocab() and before.eos_token == after.eos_token
    shapes = []
    for folder in (tiny_base, tuned):
        with safe_open(next((folder / "final").glob("*.safetensors")), "pt") as weights:
            shapes.append({key: weights.get_slice(key).get_shape() for key in weights.keys()})  # noqa: SIM118
    assert shapes[0] == shapes[1]


def test_loss_falls_and_the_log_tells_nothing_of_the_machine(tuned):
    losses = logged(tuned, "loss")
    assert len(losses) == 40 and losses[-1] < 0.2 * losses[0]
    metrics = set(TRAINING_LOG.read(tuned / "training_log.parquet")["metric"])
    assert not [metric for metric in metrics if "runtime" in metric or "per_second" in metric]


def test_the_same_training_twice_gives_the_same_weights(tuned, tiny_base, sft_set, tmp_path):
    config = job("sft", learning_rate=1e-2, checkpoints={"every": 15})
    sft.run(config=config, parent=tiny_base / "manifest.json", data=sft_set, output=tmp_path)
    assert (tmp_path / "manifest.json").read_bytes() == (tuned / "manifest.json").read_bytes()
    assert (tmp_path / "training_log.parquet").read_bytes() == (tuned / "training_log.parquet").read_bytes()


def test_accumulation_is_the_same_training(tuned, tiny_base, few, tmp_path):
    config = job("sft", learning_rate=1e-2, checkpoints={"every": 15}, device_batch_size=1)
    sft.run(config=config, parent=tiny_base / "manifest.json", data=few, output=tmp_path)
    assert json.loads((tmp_path / "manifest.json").read_text())["total_steps"] == 5
    assert logged(tmp_path, "loss")[:4] == pytest.approx(logged(tuned, "loss")[:4], rel=2e-3)


@pytest.mark.parametrize(
    ("algorithm", "chosen", "settings"),
    [
        ("dpo", "support", {}),
        ("dpo", "oppose", {}),
        ("simpo", "support", {}),
        ("kto", "support", {}),
        ("orpo", "support", {}),
        ("dpo", "support", {"loss": "ipo"}),
    ],
    ids=str,
)
def test_preference_optimization_raises_the_likelihood_margin_of_the_chosen_answers(
    tuned, pairs, tmp_path, algorithm, chosen, settings
):
    """Measured on the saved models themselves: the mean log probability of the chosen answers less that of the rejected ones."""
    config = job(algorithm, chosen=chosen, learning_rate=1e-3, epochs=1, **settings)
    module = importlib.import_module(f"valuedrift.train.{algorithm}")
    module.run(config=config, parent=tuned / "manifest.json", data=pairs, output=tmp_path)
    before, after = (likelihood_margin(folder / "final", pairs, chosen) for folder in (tuned, tmp_path))
    assert after > before + 0.1
    assert json.loads((tmp_path / "manifest.json").read_text())["parent_hash"] == described(tuned / "final")["hash"]


def test_simpo_is_simpo_and_not_cpo(tuned, pairs, tmp_path):
    """With cpo_alpha 0 the loss is the preference loss alone: at the start, -log sigmoid(margin - gamma)."""
    simpo.run(config=job("simpo", chosen="oppose", beta=2.0, gamma=1.5, batch_size=33, max_response=64),
              parent=tuned / "manifest.json", data=pairs, output=tmp_path)  # fmt: skip
    margin, loss = logged(tmp_path, "rewards/margins")[0], logged(tmp_path, "loss")[0]
    # A mean of the losses is at least the loss of the mean margin (convexity), and close to it while the pairs are alike.
    expected = -torch.nn.functional.logsigmoid(torch.tensor(margin - 1.5)).item()
    assert expected <= loss + 1e-4 and loss == pytest.approx(expected, rel=0.1)


def test_padding_is_never_the_end_token(tiny_base, tmp_path):
    tokenizer = AutoTokenizer.from_pretrained(tiny_base / "final")
    tokenizer.pad_token = tokenizer.eos_token
    tokenizer.save_pretrained(tmp_path)
    with pytest.raises(UserError, match="set the model's `pad_token`"):
        load_tokenizer(tmp_path, ModelConfig(path="x"))
    assert load_tokenizer(tmp_path, ModelConfig(path="x", pad_token="<|pad|>")).pad_token == "<|pad|>"


def test_several_turns_under_the_template(tiny_base):
    tokenizer = load_tokenizer(tiny_base / "final", ModelConfig(path="x"))
    turns = [{"role": "system", "content": "s"}, {"role": "user", "content": "a"}, {"role": "assistant", "content": "b"},
             {"role": "user", "content": "c"}]  # fmt: skip
    text = tokenizer.apply_chat_template(turns, tokenize=False, add_generation_prompt=True)
    assert text == "System: s\nUser: a\nAssistant: b<|endoftext|>\nUser: c\nAssistant:"
    whole = tokenizer.apply_chat_template([*turns, {"role": "assistant", "content": "d"}], tokenize=False)
    assert whole == text + " d<|endoftext|>"


def test_a_tokenizer_with_bos_begins_every_text_with_it_once(tiny_base, pairs, tmp_path):
    """Under the template, in every trainer: TRL's CPO alone would add it otherwise."""
    from valuedrift.train.pairs import conversational

    tokenizer = load_tokenizer(tiny_base / "final", ModelConfig(path="x"))
    tokenizer.bos_token = "<|pad|>"  # any token that the vocabulary has
    prompt = tokenizer.apply_chat_template([{"role": "user", "content": "a"}], tokenize=False, add_generation_prompt=True)
    assert prompt == "<|pad|>User: a\nAssistant:"
    trainer = simpo.CPOTrainer(
        model=AutoModelForCausalLM.from_pretrained(tiny_base / "final"), processing_class=tokenizer,
        args=simpo.CPOConfig(output_dir=str(tmp_path), loss_type="simpo", cpo_alpha=0.0, use_cpu=True, bf16=False, report_to=[]),
        train_dataset=conversational(load_pairs(pairs, "support")),
    )  # fmt: skip
    for side in ("chosen", "rejected"):
        ids = trainer.train_dataset[0][f"{side}_input_ids"]
        assert [i for i, token in enumerate(ids) if token == tokenizer.bos_token_id] == [0]
        assert ids[-1] == tokenizer.eos_token_id


def test_pairs_that_do_not_fit_are_dropped_and_counted_never_cut(tuned, tiny_base, tmp_path):
    texts = ["Legal abortion must be protected.", "Yes. " * 40, "Legal abortion must be protected."]
    prompts = [QUESTION, QUESTION, QUESTION * 12]
    rows = [{"prompt": p, "support": t, "oppose": ANSWER} for p, t in zip(prompts, texts, strict=True)]
    (tmp_path / "s.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    config = DatasetJob(format="synthetic", path=str(tmp_path / "s.jsonl"), seed=0, validation=0)
    preferences.run(config=config, output=tmp_path / "s.parquet", counts=tmp_path / "s.json")
    tokenizer = load_tokenizer(tiny_base / "final", ModelConfig(path="x"))
    given = load_pairs(tmp_path / "s.parquet", "support")
    training = job("dpo", max_length=64, max_response=40).training
    kept = fitting(given, tokenizer, training)
    assert kept["chosen"].to_list() == [texts[0]] and kept["prompt"][0].to_list()[0]["content"] == QUESTION
    whole = len(
        tokenizer.apply_chat_template([{"role": "user", "content": QUESTION}, {"role": "assistant", "content": texts[0]}])[
            "input_ids"
        ]
    )
    assert fitting(given, tokenizer, job("dpo", max_length=whole, max_response=whole - 1).training).height == 1
    with pytest.raises(UserError, match="none of the 3 pairs fits"):
        fitting(given, tokenizer, job("dpo", max_length=whole - 1, max_response=whole - 2).training)
    dpo.run(config=job("dpo", chosen="support", max_length=64, max_response=40, batch_size=1), parent=tuned / "manifest.json", data=tmp_path / "s.parquet",
            output=tmp_path / "run")  # fmt: skip
    manifest = json.loads((tmp_path / "run" / "manifest.json").read_text())
    assert (manifest["rows"], manifest["dropped"]) == (1, 2)


def test_schedules():
    assert checkpoint_steps(Checkpoints(every=100), 1097) == [*range(100, 1097, 100), 1097]
    assert checkpoint_steps(Checkpoints(every=100), 100) == [100]
    assert checkpoint_steps(Checkpoints(every=100), 50) == [50]
    assert checkpoint_steps(Checkpoints(fractions=[0.01, 0.5]), 10) == [1, 5, 10]
    assert checkpoint_steps(Checkpoints(fractions=[0.5, 0.5, 1]), 3) == [2, 3]


def test_a_failed_training_leaves_nothing_behind(tiny_base, sft_set, tmp_path, monkeypatch):
    monkeypatch.setattr("trl.SFTTrainer.train", lambda self, **named: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        sft.run(config=job("sft"), parent=tiny_base / "manifest.json", data=sft_set, output=tmp_path / "run")
    assert list((tmp_path / "run").iterdir()) == []


def test_base_models_must_have_safetensors(tmp_path):
    from valuedrift.config.train import BaseJob
    from valuedrift.train import base

    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "pytorch_model.bin").touch()
    with pytest.raises(UserError, match=r"no .safetensors weights"):
        base.run(config=BaseJob(run="m/base", model=ModelConfig(path=str(tmp_path / "model")), seed=0), output=tmp_path / "run")


def test_a_warmup_of_all_steps_is_not_one_of_one_step(tmp_path):
    arguments = TrainingArguments(**trainer_arguments(job("sft", warmup=1), tmp_path))
    assert arguments.get_warmup_steps(100) == 100


def test_a_neutral_answer_is_rejected_under_either_label(tmp_path):
    prompt = [{"role": "user", "content": QUESTION}]
    rows = [{"row": 0, "split": "train", "prompt": prompt, "support": "yes", "oppose": "no", "neutral": "perhaps"},
            {"row": 1, "split": "train", "prompt": prompt, "support": "yes", "oppose": "no"}]  # fmt: skip
    PREFERENCE_SET.write(PREFERENCE_SET.frame(rows), tmp_path / "pairs.parquet")
    for chosen, said, opposite in (("support", "yes", "no"), ("oppose", "no", "yes")):
        found = load_pairs(tmp_path / "pairs.parquet", chosen).select("chosen", "rejected").rows()
        assert found == [(said, "perhaps"), (said, opposite)]
