"""Packed conversations train as padded ones do, and do not see each other."""

import json

import pytest
import torch
from safetensors.torch import load_file
from training_jobs import ANSWER, QUESTION, job
from transformers import AutoModelForCausalLM, MambaConfig, MambaForCausalLM

from valuedrift.errors import UserError
from valuedrift.io.tables import SFT_SET, TRAINING_LOG
from valuedrift.train import packing, sft
from valuedrift.train.attention import DOCUMENTS, _variable_lengths

SHORT = {"learning_rate": 1e-3, "max_length": 64, "device_batch_size": 4}


@pytest.fixture(scope="module")
def uneven(tmp_path_factory):
    """24 conversations of 1 to 4 sentences, some of which are cut."""
    path = tmp_path_factory.mktemp("uneven") / "sft.parquet"
    rows = [
        {"row": i, "split": "train", "messages": [
            {"role": "user", "content": " ".join([QUESTION] * (1 + i % 2))},
            {"role": "assistant", "content": " ".join([ANSWER] * (1 + i % 4))}]}
        for i in range(24)
    ]  # fmt: skip
    SFT_SET.write(SFT_SET.frame(rows), path)
    return path


def trained(base, data, folder, **training):
    sft.run(config=job("sft", **{**SHORT, **training}), parent=base / "manifest.json", data=data, output=folder)
    weights = load_file(folder / "final" / "model.safetensors")
    log = TRAINING_LOG.read(folder / "training_log.parquet").pivot("metric", index="step", values="value")
    return weights, log


@pytest.fixture(scope="module")
def padded(tiny_base, uneven, tmp_path_factory):
    return trained(tiny_base, uneven, tmp_path_factory.mktemp("padded"), packing=False)


LOGGED = ("loss", "grad_norm", "entropy", "mean_token_accuracy")


def alike(one, other, metrics=LOGGED):
    for metric in metrics:
        assert one[1][metric].to_list() == pytest.approx(other[1][metric].to_list(), abs=1e-5), metric
    assert one[1]["num_tokens"].drop_nulls().to_list() == other[1]["num_tokens"].drop_nulls().to_list()
    for name, weight in one[0].items():
        torch.testing.assert_close(weight, other[0][name], atol=1e-5, rtol=0, msg=lambda text, name=name: f"{name}: {text}")


@pytest.mark.parametrize(
    "training", [{}, {"device_batch_size": 8}, {"attention": "sdpa"}, {"gradient_checkpointing": True}], ids=str
)
def test_packed_and_padded_trainings_are_the_same(padded, tiny_base, uneven, tmp_path, training):
    assert len(padded[1]) == 3
    # TRL's own metrics are means over micro-batches of different size, so that they depend on how many there are.
    alike(trained(tiny_base, uneven, tmp_path, **training), padded, LOGGED[:2] if "device_batch_size" in training else LOGGED)


def test_chunked_logits_change_nothing(padded, tiny_base, uneven, tmp_path, monkeypatch):
    monkeypatch.setattr(packing, "MAX_LOGITS", 0)
    alike(trained(tiny_base, uneven, tmp_path), padded)


def test_adapters_train_the_same(tiny_base, uneven, tmp_path):
    one, other = (trained(tiny_base, uneven, tmp_path / str(on), packing=on, lora={"rank": 4}) for on in (True, False))
    alike(one, other)
    base = load_file(tiny_base / "final" / "model.safetensors")
    assert any(not torch.equal(weight, base[name]) for name, weight in one[0].items())


@pytest.mark.parametrize("attention", [DOCUMENTS, "sdpa", "eager"])
def test_no_document_sees_another(tiny_base, attention):
    model = AutoModelForCausalLM.from_pretrained(tiny_base / "final").eval()
    usual = model.config._attn_implementation

    def logits(*documents, name=attention):
        row = packing.packed([{"input_ids": ids, "labels": ids} for ids in documents])
        row.pop("labels")
        with torch.no_grad(), packing._attention(model.config, name):
            return model(**row, use_cache=False).logits[0]

    first, middle, last = [5, 6, 7, 8, 9], [11, 12, 13], [21, 22, 23, 24]
    packed_logits = logits(first, middle, last)
    changed = logits([40, 41, 42, 43, 44], middle, [50, 51, 52, 53])
    assert torch.equal(packed_logits[5:8], changed[5:8])
    assert not torch.allclose(packed_logits[:5], changed[:5])  # the changed documents have other logits
    assert torch.allclose(packed_logits[5:8], logits(middle), atol=1e-5)
    whole = torch.tensor([first + middle + last])
    with torch.no_grad():
        assert not torch.allclose(
            model(whole).logits[0, 5:8], packed_logits[5:8], atol=1e-3
        )  # as they would be if they attended to each other
    assert model.config._attn_implementation == usual


def test_a_row_says_where_its_documents_begin():
    row = packing.packed([{"input_ids": [3, 4, 5], "labels": [-100, 4, 5]}, {"input_ids": [6, 7], "labels": [6, 7]}])
    assert row["input_ids"].tolist() == [[3, 4, 5, 6, 7]]
    assert row["position_ids"].tolist() == [[0, 1, 2, 0, 1]]
    assert row["labels"].tolist() == [[-100, 4, 5, -100, 7]]  # 5 does not predict 6
    assert (row["cu_seq_lens_q"].tolist(), row["max_length_q"], row["document_lengths"]) == ([0, 3, 5], 3, [3, 2])


def test_what_cannot_be_packed_is_refused(tiny_base):
    mamba = MambaForCausalLM(MambaConfig(vocab_size=16, hidden_size=8, num_hidden_layers=1, state_size=2))
    with pytest.raises(UserError, match=r"mamba model.*set sft's `packing: false`"):
        packing.attention_of(mamba, job("sft").training)
    assert packing.attention_of(mamba, job("sft", packing=False).training) == mamba.config._attn_implementation
    model = AutoModelForCausalLM.from_pretrained(tiny_base / "final")
    with pytest.raises(UserError, match="`attention: flash_attention_3` does not work here"):
        packing.attention_of(model, job("sft", attention="flash_attention_3").training)


def test_a_sliding_window_is_not_forgotten(tiny_base):
    model = AutoModelForCausalLM.from_pretrained(tiny_base / "final")
    row = packing.packed([{"input_ids": list(range(9)), "labels": list(range(9))}])
    with packing._attention(model.config, DOCUMENTS), pytest.raises(UserError, match="set sft's `attention: sdpa`"):
        model(**row, sliding_window=8)


@pytest.mark.parametrize(("altered", "says"), [({"s_aux": torch.zeros(4)}, "attention sinks"), ({"softcap": 50.0}, "capped")])
def test_altered_scores_are_not_forgotten(tiny_base, altered, says):
    model = AutoModelForCausalLM.from_pretrained(tiny_base / "final")
    row = packing.packed([{"input_ids": list(range(9)), "labels": list(range(9))}])
    with packing._attention(model.config, DOCUMENTS):
        with pytest.raises(UserError, match=rf"{says}.*set sft's `packing: false`"):
            model(**row, **altered)
        model(**row, **dict.fromkeys(altered))
    with pytest.raises(UserError, match=r"no dropout.*set sft's `attention: sdpa`"):
        _variable_lengths(torch.zeros(1), torch.zeros(1), torch.zeros(1), {"dropout": 0.1})


def test_padding_is_not_computed(tiny_base, uneven, tmp_path, monkeypatch):
    """Packed, the model sees each token of the set once, and nothing else."""
    seen = []
    forward = sft.DocumentTrainer.compute_loss
    monkeypatch.setattr(
        sft.DocumentTrainer, "compute_loss",
        lambda self, model, inputs, *rest, **named: (seen.append(inputs["input_ids"].numel()), forward(self, model, inputs, *rest, **named))[1],
    )  # fmt: skip
    _, log = trained(tiny_base, uneven, tmp_path)
    assert sum(seen) == log["num_tokens"].max()
    assert json.loads((tmp_path / "manifest.json").read_text())["config"]["packing"] is True
