"""Loading of models and tokenizers from folders, whose errors end in one line."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from valuedrift.errors import UserError
from valuedrift.io.weights import check_seal


@contextmanager
def loading(what: str, place: str | Path) -> Iterator[None]:
    """Check the files of a model that the workflow made without a manifest, and turn errors of the block into a UserError.

    `what` is `the checkpoint`, `the judge`, ...; `place` is its folder, or a name of the hub.
    """
    check_seal(Path(place))
    try:
        yield
    except UserError:
        raise
    except Exception as error:  # those of transformers, safetensors and tokenizers share no base class
        reason = " ".join(str(error).split())[:300] or type(error).__name__
        raise UserError(f"{what} {place} cannot be loaded ({reason}): a file of it may be missing, cut short or damaged") from error
