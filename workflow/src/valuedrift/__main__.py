from valuedrift.command import dispatch

dispatch(
    __package__,
    {
        "plan": "what a study takes of time, disk and money",
        "prune": "delete trajectories that are measured",
        "runs": "the runs of a study, in their order",
    },
)
