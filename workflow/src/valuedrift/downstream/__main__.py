from valuedrift.cli import dispatch

dispatch(
    __package__,
    {
        "data": "download the benchmarks' datasets, for use without a network",
        "evaluate": "score one run's final model on the benchmarks",
    },
)
