"""A double of GPUs: `python -m valuedrift.train` whose processes share the weights by real FSDP2, on the CPU over gloo.

Accelerate shards on GPUs only, so it is told that these processes have some.
"""

import os

os.environ["ACCELERATE_TORCH_DEVICE"] = "cpu"

import torch
from accelerate import PartialState
from accelerate.utils import DistributedType

from valuedrift.cli import dispatch
from valuedrift.train import arguments, processes

PartialState._prepare_backend = lambda self, *_: ("gloo", DistributedType.MULTI_GPU)
of_cpu = arguments.trainer_arguments
arguments.trainer_arguments = lambda job, scratch: of_cpu(job, scratch) | {"use_cpu": False}
processes.keep_whole = lambda: None  # what a machine without GPUs does
torch.distributed.init_process_group("gloo")
assert processes.strategy() == "fsdp2"
dispatch("valuedrift.train", {"sft": "", "dpo": ""})
