"""A repository of the hub: its files, its download, and errors that say what to do."""

import glob
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, Literal, NamedTuple

from httpx2 import TransportError
from huggingface_hub import HfApi, constants, snapshot_download
from huggingface_hub.errors import (
    GatedRepoError,
    HfHubHTTPError,
    HFValidationError,
    LocalEntryNotFoundError,
    OfflineModeIsEnabled,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)

from valuedrift.config.hub import HubItem
from valuedrift.errors import UserError
from valuedrift.io.weights import file_hash, seal

Kind = Literal["model", "dataset"]
# A model's config, tokenizer and weights. Excluded: weights that can run code when loaded (.bin, .pt, .pth), a second copy of the
# weights (Llama's `original`, exports to other runtimes), and any other file. Of a dataset, every file is downloaded.
MODEL_FILES = ("*.json", "*.txt", "*.model", "*.jinja", "*.safetensors", "*.py")
EXCLUDED_FILES = ("original/*", "onnx/*", "openvino/*", "consolidated*")
TIMEOUT = 30  # seconds; without one, a compute node whose packets are dropped would wait endlessly


class HubUnreachable(UserError):
    """The hub cannot be reached, so looking up further repositories is pointless."""


class HubFile(NamedTuple):
    """A file of a repository: its bytes, and the SHA-256 that the hub knows of large ones."""

    size: int
    sha256: str | None


def look_up(kind: Kind, item: HubItem) -> dict[str, HubFile]:
    """Return the files that would be downloaded; raise UserError if they cannot be downloaded."""
    api = HfApi()
    with _user_errors(kind, item):
        info: Any = api.repo_info(item.name, repo_type=kind, revision=item.revision, files_metadata=True, timeout=TIMEOUT)
        api.auth_check(item.name, repo_type=kind)  # needed, since a gated repository lists its files to everybody
    files = {
        file.rfilename: HubFile(file.size or 0, file.lfs and file.lfs.sha256)
        for file in info.siblings
        if kind == "dataset" or _is_wanted(file.rfilename)
    }
    if kind == "model" and not any(name.endswith(".safetensors") for name in files):
        raise UserError(f"the model {item.name} has no .safetensors weights; other formats are not loaded, since they can run code")
    return files


def download(kind: Kind, item: HubItem, output: Path) -> None:
    """Download the repository's files into the folder `output`, which exists only when it is complete.

    The files are downloaded into a hidden folder next to `output`, whose name a second attempt finds again: files that an
    interrupted download had completed are not fetched twice (the library restarts an incomplete file). The user's cache would do
    the same, but its blobs would have to be copied (16 GB twice on the disk) or linked (and be lost when the cache is pruned);
    files that are already in that cache are taken from it.
    """
    files = look_up(kind, item)
    part = output.with_name(f".{output.name}.{item.revision[:8]}.part")
    with _user_errors(kind, item):
        patterns = [glob.escape(name) for name in files]
        snapshot_download(item.name, repo_type=kind, revision=item.revision, local_dir=part, allow_patterns=patterns)
    if missing := [name for name in files if not (part / name).is_file()]:
        raise UserError(f"the {kind} {item.name} came without {', '.join(missing)}: start the download again")
    if damaged := [name for name, file in files.items() if file.sha256 not in (None, file_hash(part / name))]:
        for name in damaged:
            (part / name).unlink()
        raise UserError(f"the {kind} {item.name} came with {', '.join(damaged)} damaged: start the download again")
    if kind == "model":
        seal(part)
    shutil.rmtree(part / ".cache")  # the library's records of what is complete
    shutil.rmtree(output, ignore_errors=True)
    part.replace(output)


def _is_wanted(name: str) -> bool:
    return any(fnmatchcase(name, pattern) for pattern in MODEL_FILES) and not any(fnmatchcase(name, p) for p in EXCLUDED_FILES)


@contextmanager
def _user_errors(kind: Kind, item: HubItem) -> Iterator[None]:
    """Turn the library's errors into a UserError that says what to do."""
    page = f"{constants.ENDPOINT}/{'datasets/' if kind == 'dataset' else ''}{item.name}"
    key = f"the config's `{kind}s`"
    try:
        yield
    except GatedRepoError as error:
        raise UserError(f"the {kind} {item.name} is gated: accept its licence at {page}, then run `hf auth login`") from error
    except (RepositoryNotFoundError, HFValidationError) as error:
        raise UserError(
            f"the {kind} {item.name} is not on the hub: correct its name in {key}; if it is private, run `hf auth login`"
        ) from error
    except RevisionNotFoundError as error:
        raise UserError(f"the {kind} {item.name} has no commit {item.revision}: correct its `revision` in {key}") from error
    except HfHubHTTPError as error:
        if error.response.status_code == 401:
            raise UserError(f"the {kind} {item.name}: the hub refuses your token: run `hf auth login`") from error
        raise UserError(f"the {kind} {item.name}: the hub answers {error.response.status_code}: try again later") from error
    except (TransportError, OfflineModeIsEnabled, LocalEntryNotFoundError) as error:
        raise HubUnreachable(
            "the hub cannot be reached: run `snakemake downloads --configfile ...` on a machine with a network; "
            "later jobs need none"
        ) from error
