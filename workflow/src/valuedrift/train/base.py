"""A base model as the root of its runs: the same folder layout as a trained one, with its files linked, not copied."""

from pathlib import Path

from transformers import AutoConfig

from valuedrift.config.training import BaseJob
from valuedrift.errors import UserError
from valuedrift.frames import replacing
from valuedrift.train.trajectory import versions, weights_hash, write_manifest


def run(*, config: BaseJob, output: Path) -> None:
    """Link the model's files into `final/` and write its manifest; raises UserError where there are no safetensors weights."""
    source = _folder(config)
    files = [path for path in source.iterdir() if path.is_file() and path.suffix not in (".bin", ".pt", ".pth")]
    if not any(path.suffix == ".safetensors" for path in files):
        raise UserError(f"{config.model.path} has no .safetensors weights; other formats are not loaded, since they can run code")
    AutoConfig.from_pretrained(source, trust_remote_code=config.model.trust_remote_code)
    final = output / "final"
    with replacing(final) as scratch:
        scratch.mkdir()
        for path in files:
            (scratch / path.name).symlink_to(path.resolve())
    write_manifest(
        output,
        {
            "run": config.run, "algorithm": "base", "parent": None, "parent_hash": None, "dataset": None, "data_hash": None,
            "rows": None, "seed": config.seed, "config": None, "chat": False, "versions": versions(), "total_steps": 0,
            "checkpoints": [{"step": 0, "path": "final", "hash": weights_hash(final)}],
        },
    )  # fmt: skip


def _folder(config: BaseJob) -> Path:
    local = Path(config.model.path)
    if local.is_dir():
        return local
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalEntryNotFoundError

    try:
        return Path(
            snapshot_download(config.model.path, revision=config.model.revision, ignore_patterns=["*.bin", "*.pth", "*.pt"])
        )
    except (HfHubHTTPError, HFValidationError, LocalEntryNotFoundError, OSError) as error:
        raise UserError(f"the model `{config.model.path}` is no folder here and cannot be had from the hub: {error}") from error
