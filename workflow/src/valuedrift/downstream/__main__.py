from valuedrift.cli import dispatch

dispatch(
    __package__,
    {"data": "the benchmarks' datasets, for use without a network", "evaluate": "the benchmarks' scores of one run's final model"},
)
