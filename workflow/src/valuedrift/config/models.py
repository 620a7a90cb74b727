"""Base models, and checkpoints that were trained elsewhere."""

from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from valuedrift.config.base import Closed, Number


class ModelConfig(Closed):
    path: str
    """Local folder or hub name of the base model, in safetensors."""
    revision: str | None = None
    """Commit of the hub repository; none for a local folder."""
    weights: Literal["pretrained", "random"] = "pretrained"
    """random: only the architecture and tokenizer, with weights drawn from the study's seed."""
    dtype: Literal["float32", "bfloat16"] = "float32"
    """Type of the weights in training and measuring."""
    pad_token: str | None = None
    """Existing token used for padding; by default the tokenizer's own, else a reserved token of the vocabulary."""
    trust_remote_code: bool = False
    """Run code that comes with the model. Leave it off unless you have read that code."""
    parameters: Annotated[Number, Field(gt=0, le=1e15)] | None = None
    """Number of weights, for the plan and the resources of jobs as long as the model is not downloaded."""


class CheckpointConfig(Closed):
    path: str | None = None
    """Local folder or hub name; by default the `path` of all checkpoints."""
    revision: str | None = None
    """Commit of the hub repository; none for a local folder."""
    chat: bool | None = None
    """Prompt through the checkpoint's own chat template; by default if it has one."""


class ExternalConfig(Closed):
    """Checkpoints that were trained elsewhere: they are measured like a run of the study, called `<name>/external`."""

    path: str | None = None
    """Hub name that the checkpoints share, if they are revisions of one repository."""
    checkpoints: Annotated[dict[Annotated[int, Field(ge=0, strict=False)], CheckpointConfig], Field(min_length=2)]
    """Step → checkpoint; the drift is measured from step 0. A text stands for a revision of `path`, or for a folder or hub name if
    `path` is not given."""
    dtype: Literal["float32", "bfloat16"] = "float32"
    """Type of the weights."""
    pad_token: str | None = None
    """Existing token used for padding, for runs that train on from here."""
    trust_remote_code: bool = False
    """Run code that comes with the models. Leave it off unless you have read that code."""

    @model_validator(mode="before")
    @classmethod
    def _short_form(cls, values: Any) -> Any:
        if not isinstance(values, dict) or not isinstance(values.get("checkpoints"), dict):
            return values
        key = "revision" if values.get("path") else "path"
        return values | {"checkpoints": {s: {key: c} if isinstance(c, str) else c for s, c in values["checkpoints"].items()}}

    @model_validator(mode="after")
    def _complete(self) -> "ExternalConfig":
        if 0 not in self.checkpoints:
            raise ValueError("`checkpoints` must have step 0, from which the drift is measured")
        for step, checkpoint in self.checkpoints.items():
            if not (checkpoint.path or self.path):
                raise ValueError(f"checkpoint {step} has no `path`: give it one, or one for all checkpoints")
        return self

    def source(self, step: int) -> tuple[str, str | None]:
        """Return path and revision of a checkpoint."""
        checkpoint = self.checkpoints[step]
        path = checkpoint.path or self.path
        assert path
        return path, checkpoint.revision

    @property
    def model(self) -> ModelConfig:
        """Model settings for a run that starts from the last checkpoint."""
        path, revision = self.source(max(self.checkpoints))
        return ModelConfig(
            path=path, revision=revision, dtype=self.dtype, pad_token=self.pad_token, trust_remote_code=self.trust_remote_code
        )
