"""A `python` that forks each program from a process that has imported the heavy libraries once.

A step of a study takes 5 to 7 s to import torch, transformers and trl, and a tiny step then takes less than one to do its work; a test
study has 60 to 360 of them. The forked program starts as `python -m` does: with its own arguments, environment, folder, sys.path and
random state, and without any module of valuedrift. What asks for anything else than `python -m`, or for other settings of the Hugging
Face libraries, which read them while they are imported, gets the real interpreter.
"""

import atexit
import gc
import importlib
import json
import os
import runpy
import select
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import traceback
from contextlib import contextmanager, suppress
from pathlib import Path

# Third-party libraries only: the study's own modules come from the clone, and tests edit them.
LIBRARIES = (
    "numpy", "polars", "pydantic", "jinja2", "matplotlib.pyplot", "seaborn", "scipy.stats", "sklearn.cluster", "umap", "hdbscan",
    "torch", "torch.utils.data", "transformers.models.auto.modeling_auto", "transformers.models.auto.tokenization_auto",
    "transformers.models.llama.modeling_llama", "transformers.models.qwen3.modeling_qwen3", "transformers.trainer",
    "transformers.generation.utils", "sentence_transformers", "datasets", "trl.trainer.sft_trainer", "trl.trainer.dpo_trainer",
    "trl.trainer.reward_trainer", "trl.experimental.cpo", "openai", "snakemake.cli", "snakemake.api",
)  # fmt: skip
# What the rules export for every step (common.smk): read when the libraries are imported.
EXPORTED = {"HF_HUB_OFFLINE": "1", "TQDM_DISABLE": "1", "TRL_EXPERIMENTAL_SILENCE": "1", "TOKENIZERS_PARALLELISM": "false"}
READ_AT_IMPORT = ("HF_", "TRANSFORMERS_", "OMP_", "MPL", "POLARS_")

CLIENT = """\
#!{real} -IS
import json, os, socket, sys

def settings():
    return {{key: value for key, value in os.environ.items() if key.startswith({prefixes})}}

arguments = sys.argv[1:]
step = arguments[1:2] != ["snakemake"]
if arguments[:1] != ["-m"] or (step and settings() != {settings}):
    os.execv({real!r}, [{real!r}, *arguments])
request = json.dumps([sys.argv[0], arguments, os.getcwd(), dict(os.environ)]).encode()
with socket.socket(socket.AF_UNIX) as server:
    server.connect({address!r})
    socket.send_fds(server, [len(request).to_bytes(4, "big")], [0, 1, 2])
    server.sendall(request)
    status = int(server.makefile().readline())
if status < 0:
    os.kill(os.getpid(), -status)
sys.exit(status)
"""


@contextmanager
def warm_python(environment: dict[str, str]):
    """Yield the path of the `python` whose steps have these settings; its process ends with the block, or with this one."""
    with tempfile.TemporaryDirectory(prefix="warm-") as name:  # not pytest's folder: a socket's path has 107 characters
        folder = Path(name)
        environment = {**environment, **EXPORTED}
        settings = {key: value for key, value in environment.items() if key.startswith(READ_AT_IMPORT)}
        fields = {"real": sys.executable, "prefixes": READ_AT_IMPORT, "settings": settings, "address": str(folder / "socket")}
        (folder / "python").write_text(CLIENT.format(**fields))
        (folder / "python").chmod(0o755)
        command = [sys.executable, __file__, str(folder / "socket")]
        with subprocess.Popen(command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as server:
            try:
                assert server.stdout.readline() == b"ready\n", "the warm python did not start"
                yield folder / "python"
            finally:
                server.stdin.close()


def serve(address: str) -> list[str]:
    """Fork a program for each request until stdin closes; return the arguments of the program, in the program's own process."""
    path = [entry for entry in sys.path[1:] if entry not in os.environ.get("PYTHONPATH", "").split(":")]
    for name in LIBRARIES:
        importlib.import_module(name)
    gc.freeze()  # a collection in a forked process would otherwise write to, and so copy, every page
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # no zombies
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(address)
        listener.listen(64)
        os.write(1, b"ready\n")
        while True:
            if 0 in select.select([0, listener], [], [])[0]:
                os._exit(0)
            connection, _ = listener.accept()
            if os.fork() == 0:
                break
            connection.close()
    return watched(connection, path)


def watched(connection: socket.socket, path: list[str]) -> list[str]:
    """Fork the program, report how it ends, and kill it if the client goes; return in the program's process only."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    length, descriptors, _, _ = socket.recv_fds(connection, 4, 3)
    program, arguments, folder, environment = json.loads(connection.makefile("rb").read(int.from_bytes(length, "big")))
    child = os.fork()
    if child:
        ended = os.pidfd_open(child)
        if ended not in select.select([ended, connection], [], [])[0]:
            os.kill(child, signal.SIGKILL)
        _, status = os.waitpid(child, 0)
        with suppress(OSError):
            connection.sendall(f"{os.waitstatus_to_exitcode(status)}\n".encode())
        os._exit(0)
    connection.close()
    for standard, descriptor in enumerate(descriptors):
        os.dup2(descriptor, standard)
        os.close(descriptor)
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    sys.path[:] = [folder, *filter(None, environment.get("PYTHONPATH", "").split(":")), *path]
    sys.executable = program
    importlib.import_module("numpy").random.seed()  # else all would draw the same unseeded numbers; `random` sees to it itself
    return arguments


def run(module: str, *arguments: str) -> int:
    """Return the exit status of `python -m module arguments`, with the traceback of what it did not catch printed."""
    sys.argv = [module, *arguments]
    try:
        runpy.run_module(module, run_name="__main__", alter_sys=True)
    except SystemExit as end:
        if end.code is None or isinstance(end.code, int):
            return end.code or 0
        print(end.code, file=sys.stderr)
        return 1
    except BaseException:
        traceback.print_exc()
        return 1
    return 0


if __name__ == "__main__":
    _, *program = serve(sys.argv[1])
    status = run(*program)
    threading._shutdown()  # waits for threads, as the end of an interpreter does
    atexit._run_exitfuncs()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status & 0xFF)  # the libraries' modules need not be torn down one by one
