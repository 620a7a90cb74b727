"""Checkpoints trained elsewhere, as a run: the same folder layout as a trained one, with the files linked, not copied."""

from pathlib import Path

from transformers import AutoConfig, AutoTokenizer

from valuedrift.config.train import ExternalJob
from valuedrift.errors import UserError
from valuedrift.io.files import replacing
from valuedrift.lm.loading import loading
from valuedrift.train.base import link, weights_of
from valuedrift.train.trajectory import described, versions, write_manifest


def run(*, config: ExternalJob, output: Path) -> None:
    """Link the checkpoints into `trajectory/` and the last one into `final/`, and write the manifest.

    Step 0 is measured too, since no other run has it. Raises UserError if a folder has no safetensors weights.
    """
    checkpoints = []
    with replacing(output / "trajectory") as scratch:
        for step, folder, chat in config.checkpoints:
            source = Path(folder)
            files = weights_of(source)
            with loading("the checkpoint", source):
                AutoConfig.from_pretrained(source, trust_remote_code=config.trust_remote_code)
            link(files, scratch / f"step-{step}")
            checkpoints.append({"step": step, "path": f"trajectory/step-{step}", **described(scratch / f"step-{step}"),
                                "chat": _has_template(source, config) if chat is None else chat})  # fmt: skip
    last, folder, _ = config.checkpoints[-1]
    with replacing(output / "final") as scratch:
        link(weights_of(Path(folder)), scratch)
    write_manifest(
        output,
        {
            "run": config.run, "algorithm": "external", "parent": None, "parent_hash": None, "dataset": None, "data_hash": None,
            "rows": None, "seed": config.seed, "config": None, "chat": checkpoints[-1]["chat"], "versions": versions(),
            "total_steps": last, "checkpoints": checkpoints,
        },
    )  # fmt: skip


def _has_template(folder: Path, config: ExternalJob) -> bool:
    try:
        tokenizer = AutoTokenizer.from_pretrained(folder, trust_remote_code=config.trust_remote_code)
    except (OSError, ValueError) as error:
        raise UserError(f"{folder} has no readable tokenizer ({error}): save one with the checkpoint") from error
    return tokenizer.chat_template is not None
