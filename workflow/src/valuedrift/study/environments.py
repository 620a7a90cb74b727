"""Which conda env a job runs in, which Python, and what its shell is given."""

import sys
from pathlib import Path
from shlex import quote

from valuedrift.study.chats import chat_of
from valuedrift.study.jobs.base import Untracked
from valuedrift.study.study import Study

ENVS = "../../envs"
"""The folder of conda envs, from that of the rules, which Snakemake reads the path from."""


class Environments:
    """Environments of one study's jobs.

    `top` is the folder of the Snakefile, `deployed` whether Snakemake brings each job's software itself (`--sdm conda`).
    """

    def __init__(self, study: Study, top: Path, deployed: bool) -> None:
        self.study, self.top, self.deployed = study, top, deployed

    # --- conda envs ---

    def sampling(self) -> str:
        """Return the env in which responses are sampled."""
        return _env("vllm" if self.study.config.generation.engine == "vllm" else "generate")

    def judging(self, judge: str) -> str:
        """Return the env of a judge: vLLM's also where the judge's chat model is served by the job itself."""
        block = self.study.config.judges[judge]
        return _env("vllm" if block.backend == "vllm" or self._serves(block.chat) else "generate")

    def chat_step(self, rule: str) -> str:
        """Return the env of a step on prompts that can call a chat model: vLLM's if the job itself serves the model."""
        return _env("vllm" if self._serves(chat_of(self.study, rule)) else "prompts")

    def _serves(self, chat: str | None) -> bool:
        return bool(chat and self.study.config.chats[chat].server)

    # --- without conda ---

    def sampling_python(self) -> Untracked:
        """Return the interpreter that samples responses."""
        return self._python(self.study.config.generation.engine)

    def judging_python(self, judge: str) -> Untracked:
        """Return the interpreter that a judge runs in."""
        return self._python(self.study.config.judges[judge].backend)

    def _python(self, engine: str) -> Untracked:
        """Return vLLM's own installation for an engine of vLLM, if it is there and Snakemake brings no software; else `python`."""
        own = self._vllm / "python"
        return Untracked(quote(str(own)) if engine == "vllm" and not self.deployed and own.exists() else "python")

    @property
    def _vllm(self) -> Path:
        return self.top / ".venv-vllm" / "bin"

    def shell_prefix(self, started: Path | None = None) -> str:
        """Return what precedes every job's shell command; `started` is the snapshot that its code is taken from.

        Snakemake strips PYTHONPATH for conda jobs. Without conda a job's Python is Snakemake's own, even where its virtual
        environment is not activated. Two variables keep progress bars and TRL's notices out of the logs.
        """
        exports = [
            f"PYTHONPATH={quote(str((started or self.top) / 'workflow' / 'src'))}",
            "TQDM_DISABLE=1",
            "HF_HUB_OFFLINE=1",  # only the download rules need a network
            "TRL_EXPERIMENTAL_SILENCE=1",
            "TOKENIZERS_PARALLELISM=false",
        ]
        if not self.deployed:
            exports.append(f'PATH={quote(str(Path(sys.executable).parent))}:"$PATH":{quote(str(self._vllm))}')
        # SLURM's SIGTERM reaches the shell as well as its Python. A shell without a trap dies of it, the job ends with it, and a
        # training that was saving its state is killed or left running. With one, it waits for its Python, whatever that does.
        return f"trap : TERM; export {' '.join(exports)}; "


def _env(name: str) -> str:
    return f"{ENVS}/{name}.yaml"
