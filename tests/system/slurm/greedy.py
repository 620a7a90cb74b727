"""A double of a step that needs more memory than its job asked for: the reward model's first training on the cluster.

It lies in the copy's source folder under the name `sitecustomize`, which each python of the study's steps imports first.
"""

import os
import sys
import time
from pathlib import Path

TAKEN = 3 << 30  # bytes; the job asks for 2 GiB
PAGE = 4096

if sys.orig_argv[2:4] == ["valuedrift.train", "reward"] and "SLURM_JOB_ID" in os.environ:
    before = Path(__file__).with_name("sitecustomize.once")
    if not before.exists():
        before.touch()
        taken = bytearray(TAKEN)
        taken[::PAGE] = b"x" * (TAKEN // PAGE)
        time.sleep(60)  # SLURM looks every second
