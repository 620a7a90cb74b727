"""vLLM in this process: started with settings under which a response depends on its own request alone, and stopped."""

import os
from pathlib import Path
from typing import Any

from valuedrift.config.vllm import VllmConfig
from valuedrift.errors import UserError

ENVIRONMENT = {"VLLM_LOGGING_LEVEL": "ERROR", "VLLM_NO_USAGE_STATS": "1", "DO_NOT_TRACK": "1"}
"""vLLM's processes write errors to stderr, and send no usage statistics."""
DEFAULTS = {"VLLM_CPU_OMP_THREADS_BIND": "nobind", "VLLM_WORKER_SHUTDOWN_TIMEOUT_SECONDS": "1"}
"""Set unless the environment has others. By default vLLM binds to the first cores and leaves one free, so that two jobs on one
machine share the same cores; and it gives its workers, which never end by themselves, 5 s to do so."""


class WeightSwapping:
    """Extension of vLLM's workers that exchanges the weights."""

    model_runner: Any

    def swap(self, folder: str) -> None:
        """Load the weights of the checkpoint in the folder."""
        self.reload_weights(weights_path=folder)  # type: ignore[attr-defined]  # the worker's own
        for layer in self.model_runner.get_model().modules():
            # On CPUs a layer also keeps packed weights. An output layer that is tied to the embedding has no tensor in the
            # checkpoint, so vLLM 0.32 keeps the first checkpoint's: log-probabilities were off by 0.5.
            if type(layer).__name__ == "ParallelLMHead" and hasattr(layer, "cpu_linear"):
                layer.quant_method.process_weights_after_loading(layer)


def start(folder: Path | str, dtype: str, config: VllmConfig, trust_remote_code: bool, revision: str | None = None) -> Any:
    """Return a `vllm.LLM` of the model in the folder (or on the hub), which takes and returns token ids.

    Raises UserError where vLLM is not installed or does not accept the model.
    """
    os.environ.update(DEFAULTS | os.environ | ENVIRONMENT)
    try:
        import vllm.platforms
    except ImportError as error:
        raise UserError(
            f"vLLM is not installed here ({error}): `make vllm` installs it next to the study, or run with --sdm conda; or set "
            "the engine or judge to transformers (`engine: transformers`, `backend: local`)"
        ) from error
    llm = None
    try:
        llm = vllm.LLM(
            model=str(folder), revision=revision, dtype=dtype, trust_remote_code=trust_remote_code, skip_tokenizer_init=True,
            tensor_parallel_size=config.tensor_parallel, gpu_memory_utilization=config.memory_share,
            max_model_len=config.max_length or -1,  # -1: as long as the model and the memory allow
            seed=0, generation_config="vllm", disable_log_stats=True, use_tqdm_on_load=False,
            worker_extension_cls=f"{WeightSwapping.__module__}.{WeightSwapping.__qualname__}",
            **(_on_cpu(config) if vllm.platforms.current_platform.is_cpu() else {}),
        )  # fmt: skip
        # Some models are refused only at their first token (on CPU: head sizes other than 32, 64, 80, ...).
        llm.generate([{"prompt_token_ids": [0]}], vllm.SamplingParams(max_tokens=1, detokenize=False), use_tqdm=False)
    except Exception as error:
        stop(llm)
        raise UserError(
            f"vLLM does not accept the model {folder} ({type(error).__name__}: {error}); see the output of its processes above"
        ) from error
    return llm


def stop(llm: Any) -> None:
    """End the engine and its processes, and free their memory; do nothing for None."""
    if llm is not None:
        llm.llm_engine.engine_core.shutdown()


def _on_cpu(config: VllmConfig) -> dict[str, Any]:
    return {
        "kv_cache_memory_bytes": config.cpu_cache << 30,
        # Compiling takes 27 s at the start (50 s instead of 23 s) and generates a quarter faster.
        "enforce_eager": True,
        # A seeded request whose prompt is prefilled in parts kills the engine: "CPU Generator does not use offset" (vLLM 0.32).
        "enable_chunked_prefill": False,
    }
