from valuedrift.command import dispatch

dispatch(
    __package__,
    {
        "plan": "what a study asks of judges and chat models, and its price",
        "prune": "delete trajectories that are measured",
        "runs": "the runs of a study, in their order",
    },
)
