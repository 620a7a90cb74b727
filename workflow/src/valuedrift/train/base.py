"""A base model as the root of its runs: the same folder layout as a trained one, with its files linked, not copied."""

import os
from pathlib import Path

import torch
from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer, set_seed

from valuedrift.config.train import BaseJob
from valuedrift.errors import UserError
from valuedrift.io.files import replacing
from valuedrift.lm.loading import loading
from valuedrift.lm.safetensors_header import model_tensors
from valuedrift.train.trajectory import described, versions, write_manifest


def run(*, config: BaseJob, output: Path) -> None:
    """Put the model of the folder `config.model.path` into `final/` and write its manifest.

    Pretrained weights are linked; random ones are drawn from the seed. Raises UserError if there are no safetensors weights, or
    if the model is damaged.
    """
    source, final = Path(config.model.path), output / "final"
    with replacing(final) as scratch:
        if config.model.weights == "random":
            _draw(source, scratch, config)
        else:
            files = weights_of(source)
            with loading("the base model", source):
                AutoConfig.from_pretrained(source, trust_remote_code=config.model.trust_remote_code)
                AutoTokenizer.from_pretrained(source, trust_remote_code=config.model.trust_remote_code)
            link(files, scratch)
    write_manifest(
        output,
        {
            "run": config.run, "algorithm": "base", "parent": None, "parent_hash": None, "dataset": None, "data_hash": None,
            "rows": None, "seed": config.seed, "config": None, "chat": False, "versions": versions(), "total_steps": 0,
            "checkpoints": [{"step": 0, "path": "final", **described(final)}],
        },
    )  # fmt: skip


def weights_of(source: Path) -> list[Path]:
    """Return the files of a model's folder, weights in safetensors only; raises UserError if it has none, or damaged ones."""
    # Not the hidden ones: a link to Snakemake's timestamp file of that folder would date this folder too.
    own = [path for path in sorted(source.iterdir()) if path.is_file() and not path.name.startswith(".")]
    files = [path for path in own if path.suffix not in (".bin", ".pt", ".pth")]
    if not any(path.suffix == ".safetensors" for path in files):
        raise UserError(f"{source} has no .safetensors weights: convert them; other formats are not loaded, as they can run code")
    model_tensors(source)
    return files


def link(files: list[Path], folder: Path) -> None:
    """Create the folder with links to the files: relative ones where both lie below the project, so that it can be moved."""
    folder.mkdir(parents=True)
    project, place = Path.cwd(), folder.resolve()
    for path in files:
        target = path.absolute()
        together = target.is_relative_to(project) and place.is_relative_to(project)
        (folder / path.name).symlink_to(os.path.relpath(target, place) if together else target.resolve())


def _draw(source: Path, folder: Path, config: BaseJob) -> None:
    """Save the architecture with random weights, and the tokenizer."""
    options = {"trust_remote_code": config.model.trust_remote_code}
    set_seed(config.seed)
    architecture = AutoConfig.from_pretrained(source, **options)
    dtype = getattr(torch, config.model.dtype)
    AutoModelForCausalLM.from_config(architecture, dtype=dtype, **options).save_pretrained(folder)
    AutoTokenizer.from_pretrained(source, **options).save_pretrained(folder)
