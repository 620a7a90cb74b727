"""What several stages' tests share: the smallest world that the stages run on."""

from pathlib import Path

import pytest

from tiny import make_world
from valuedrift.io.tables import PROMPTS


@pytest.fixture(scope="session")
def tiny_world(tmp_path_factory) -> Path:
    """A folder with a tokenizer, a barely trained base model and a judge, all real and far too small to be good."""
    return make_world(tmp_path_factory.mktemp("world"), hidden=32, layers=1, heads=2)


@pytest.fixture(scope="session")
def tiny_base(tiny_world, tmp_path_factory) -> Path:
    """The run folder of the tiny base model."""
    from valuedrift.config.models import ModelConfig
    from valuedrift.config.train import BaseJob
    from valuedrift.train import base

    folder = tmp_path_factory.mktemp("runs") / "mini" / "base"
    base.run(config=BaseJob(run="mini/base", model=ModelConfig(path=str(tiny_world / "base")), seed=0), output=folder)
    return folder


@pytest.fixture(scope="session")
def some_prompts(tmp_path_factory) -> Path:
    """Six evaluation prompts of very different length in two categories."""
    path = tmp_path_factory.mktemp("prompts") / "prompts.parquet"
    rows = [
        {"prompt_id": f"{topic}-{i}", "category": f"On {topic}", "topic": topic, "question": question, "source_text": question,
         "source_id": f"{topic}-{i}"}
        for topic in ("abortion", "immigration")
        for i, question in enumerate((f"Is {topic} right?", f"Should we support {topic}?", f"Do you think, {'well, ' * 20} {topic} is good?"))
    ]  # fmt: skip
    PROMPTS.write(PROMPTS.frame(rows), path)
    return path
