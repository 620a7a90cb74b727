"""Estimate what downloads and the tables of trainings need."""

from pathlib import Path

from valuedrift.sizing.amount import ASSUMED, NOTHING, Amount
from valuedrift.sizing.base import Need, StudySizing
from valuedrift.sizing.gpu_memory import GIB

ROW_BYTES, PARSE_BYTES_PER_SECOND = 4096, 5 * 2**20
"""Bytes of a dataset's row while it is not on disk, and bytes a second that are read into a table (assumed)."""


def hub_model(sizing: StudySizing, folder: str) -> Need:
    """Return the need of downloading a model: as large as it is on disk, else its weights in 16 bits.

    The time of downloads is not counted: it depends on the network, and they may be made beforehand.
    """
    path, revision = sizing.study.hub_models[folder]
    size = Amount(_bytes_in(Path(folder)))
    if not size.value:
        models = sizing.study.models.values()
        given = next((model.parameters for model in models if (model.path, model.revision) == (path, revision)), None)
        size = sizing.size(path, revision, given) * Amount(2, ASSUMED)
    return Need(0, 1, 1.0, NOTHING, size)


def dataset(sizing: StudySizing, name: str) -> Need:
    """Return the need of reading a dataset into its table, which imports no torch."""
    block = sizing.config.datasets[name]
    size = _bytes_in(Path(sizing.study.dataset_at(block.path, block.revision))) or sizing.lengths.rows(name).value * ROW_BYTES
    return Need(0, 1, 1 + size * 10 / GIB, Amount(1 + size / PARSE_BYTES_PER_SECOND, ASSUMED))


def mixture(sizing: StudySizing, name: str) -> Need:
    """Return the need of mixing two tables."""
    return Need(0, 1, 1.0, Amount(1.0) + sizing.lengths.rows(name) * Amount(1e-4, ASSUMED), NOTHING)


def _bytes_in(place: Path) -> int:
    """Return the bytes of a file, or of all files in a folder; 0 where there is none."""
    files = [place] if place.is_file() else [file for file in place.rglob("*") if file.is_file()]
    return sum(file.stat().st_size for file in files)
