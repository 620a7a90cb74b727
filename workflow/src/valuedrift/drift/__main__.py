from valuedrift.cli import dispatch

dispatch(
    __package__,
    {
        "values": "values of one run at every checkpoint",
        "magnitude_and_time": "drift magnitude and drift time of runs",
        "study": "the drift of all runs in one table",
        "contrast": "runs, or judges, compared on the same prompts",
    },
)
