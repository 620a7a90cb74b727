from valuedrift.cli import dispatch

dispatch(
    __package__,
    {
        "values": "values of one run at every checkpoint",
        "magnitude_and_time": "drift magnitude and drift time of runs",
        "pooled_values": "values of one run over its seeds",
        "pooled_drift": "drift magnitude and drift time of one run over its seeds",
        "study": "the drift of all runs in one table",
        "noise": "the drift of nothing, between two samplings of the same checkpoints",
        "contrast": "runs, or judges, compared on the same prompts",
    },
)
