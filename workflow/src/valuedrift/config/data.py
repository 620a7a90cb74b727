"""Datasets, and mixtures of them."""

from typing import Annotated, Literal

from pydantic import Field

from valuedrift.config.base import Closed, Count, Name, Share


class DatasetConfig(Closed):
    format: Literal["wildchat", "alpaca", "messages", "ultrafeedback", "hh_rlhf", "synthetic"]
    """Schema of the rows: wildchat, alpaca, messages (SFT) or ultrafeedback, hh_rlhf, synthetic (preferences)."""
    path: str
    """Local file (.json, .jsonl, .csv, .parquet, also .gz) or hub name."""
    revision: str | None = None
    """Commit of the hub repository; none for a local file."""
    subset: str | None = None
    """Configuration of the hub dataset, where it has several."""
    split: str = "train"
    """Split of the hub dataset; local files have one."""
    language: str | None = None
    """Keep only rows in this `language` (WildChat: English)."""
    turns: Literal["first", "all"] = "first"
    """How many turns of a conversation are kept: the first exchange, or all of them. The paper does not say."""
    limit: Count | None = None
    """Draw this many rows with the study's seed; all by default."""
    validation: Share = 0.1
    """Share held out for validation. The paper's is 10%."""
    max_malformed: Share = 0.01
    """The stage stops when more than this share of the rows is malformed."""
    expected: dict[Literal["train", "validation"], Count] | None = None
    """Rows of the splits that the paper reports; the report shows them next to the study's own."""

    @property
    def is_preference(self) -> bool:
        return self.format in ("ultrafeedback", "hh_rlhf", "synthetic")


class MixtureConfig(Closed):
    """A value-gap sweep: preference sets mixed from pairs with and without a value gap, one for each share, called
    `<name>-<share>`. All have the same number of rows."""

    gap: Name
    """Synthetic preference set."""
    rest: Name
    """Standard preference set, from which the other rows come."""
    shares: Annotated[list[Share], Field(min_length=1)]
    """Shares of synthetic pairs."""
    rows: Count | None = None
    """Training rows of each mixture; by default as many as the smaller of the two sets has."""

    def names(self, name: str) -> dict[str, float]:
        """Return the name of each mixture → its share."""
        return {f"{name}-{share:g}": share for share in self.shares}


class DatasetJob(DatasetConfig):
    seed: int


class MixtureJob(Closed):
    share: float
    """Share of the rows that come from the set with a value gap."""
    rows: int | None
    seed: int
