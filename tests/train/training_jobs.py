"""Jobs of short trainings on one dialogue."""

from valuedrift.config.algorithms import ALGORITHMS, job_model
from valuedrift.config.train import PreferenceConfig

QUESTION, ANSWER = "Should legal abortion be banned?", "Legal abortion should be banned."
SHORT = {"epochs": 1, "batch_size": 8, "max_length": 96, "logging_steps": 1, "warmup": 0.0, "schedule": "constant"}


def job(algorithm, run="mini/x", chosen=None, **training):
    checkpoints = training.pop("checkpoints", {"fractions": [0.5, 1]})
    room = {"max_response": 48} if issubclass(ALGORITHMS[algorithm].config, PreferenceConfig) else {}
    values = {**SHORT, **room, "checkpoints": checkpoints, **training}
    return job_model(algorithm).model_validate(
        {"run": run, "parent": "mini/base", "algorithm": algorithm, "model": {"path": "x"}, "dataset": "d", "chosen": chosen, "seed": 3,
         "training": values}
    )  # fmt: skip
