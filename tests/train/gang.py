"""Run several trainings in the two processes of one `accelerate launch`: each launch imports torch and TRL three times, 7 s each.

`gang.py whole <trainings.json>` gives each process all weights, as the command does without GPUs; `gang.py shared <trainings.json>`
is a double of GPUs, whose processes shard the weights with real FSDP2 on the CPU over gloo. Accelerate shards on GPUs only, so it is
made to believe that these processes have some, by ACCELERATE_TORCH_DEVICE=cpu too.
"""

import importlib
import json
import sys
from pathlib import Path

import torch
from accelerate import PartialState
from accelerate.utils import DistributedType
from training_jobs import diverging

from valuedrift.config.algorithms import job_model
from valuedrift.train import arguments, processes
from valuedrift.train.divergence import Diverged

if sys.argv[1] == "shared":
    PartialState._prepare_backend = lambda self, *_: ("gloo", DistributedType.MULTI_GPU)
    of_cpu = arguments.trainer_arguments
    arguments.trainer_arguments = lambda job, scratch: of_cpu(job, scratch) | {"use_cpu": False}
    processes.keep_whole = lambda: None  # what a machine without GPUs does
    torch.distributed.init_process_group("gloo")
    assert processes.strategy() == "fsdp2"
else:
    processes.join()
for training in json.loads(Path(sys.argv[2]).read_text()):
    config = job_model(training["config"]["algorithm"]).model_validate(training.pop("config"))
    step, ends_with = importlib.import_module(f"valuedrift.train.{config.algorithm}"), training.pop("ends_with", None)
    given = {name: Path(path) for name, path in training.items()}
    if ends_with is None:
        step.run(config=config, **given)
        continue
    try:
        step.run(config=diverging(config), **given)
    except Diverged as error:
        Path(f"{ends_with}-{PartialState().process_index}").write_text(str(error))
