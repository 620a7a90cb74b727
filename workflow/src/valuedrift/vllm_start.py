"""vLLM in this process: started with settings under which a response depends on its own request alone, and stopped for good."""

from pathlib import Path
from typing import Any

from valuedrift.config.vllm import VllmConfig


def start(folder: Path, dtype: str, config: VllmConfig, trust_remote_code: bool) -> Any:
    """A `vllm.LLM` of the model in the folder; raises UserError with what to do where vLLM is not there or does not take it."""
    raise NotImplementedError


def stop(llm: Any) -> None:
    """End the engine and its processes, and give back their memory."""
    raise NotImplementedError
