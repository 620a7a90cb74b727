"""Attacks for some minutes and prints what survived; the exit status is 1 where something did not."""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from random import Random

from chaos import files, kills, serving
from chaos.outcome import Outcomes
from chaos.studies import KEY, contents, study
from clone import copy_repository
from warm_python import warm_python


def main() -> int:
    parser = argparse.ArgumentParser(prog="make chaos", description=__doc__)
    parser.add_argument("--minutes", type=float, default=15, help="of attacks; the study that is attacked takes about one more")
    parser.add_argument("--seed", type=int, default=int(time.time()), help="repeats the attacks of an earlier call")
    options = parser.parse_args()
    print(f"seed {options.seed}", flush=True)
    os.environ |= {"OMP_NUM_THREADS": "1", "CHAOS_KEY": KEY}
    outcomes, random = Outcomes(), Random(options.seed)
    with (
        tempfile.TemporaryDirectory(prefix="chaos-") as folder,
        warm_python(dict(os.environ)) as python,
        subprocess.Popen(
            [sys.executable, str(serving.SERVER), "--calls", "2"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        ) as server,
    ):
        assert server.stdin and server.stdout
        config = study(server.stdout.readline().strip())
        (Path(folder) / "finished").mkdir()
        finished = copy_repository(Path(folder) / "finished", python)
        finished.run(config)
        undisturbed = contents(finished)
        attacks = [
            lambda scratch: serving.attack(finished.environment, scratch, random, outcomes),
            lambda scratch: files.read(finished, scratch, random, outcomes),
            lambda scratch: files.remake(finished, config, undisturbed, scratch, random, outcomes),
            lambda scratch: files.commands(finished, config, scratch, random, outcomes),
            lambda scratch: kills.attack(finished, config, undisturbed, scratch, random, outcomes),
        ]
        end, tries = time.monotonic() + 60 * options.minutes, 0
        while time.monotonic() < end:
            attacks[tries % len(attacks)](Path(folder) / f"try-{tries}")
            tries += 1
        server.stdin.close()
    print(outcomes.table())
    return 0 if outcomes.survived else 1


if __name__ == "__main__":
    sys.exit(main())
