import signal

from valuedrift.cli import dispatch
from valuedrift.config.algorithms import ALGORITHMS
from valuedrift.train import processes
from valuedrift.train.preemption import Preemption

processes.join()
Preemption.after = signal.SIG_IGN
dispatch(
    __package__,
    {
        "base": "Take in a base model.",
        "external": "Take in checkpoints that somebody else trained.",
        **{name: algorithm.summary for name, algorithm in ALGORITHMS.items()},
    },
)
