from valuedrift.cli import dispatch

dispatch(
    "valuedrift.manage",
    {
        "plan": "what a study takes of time, disk and money",
        "prune": "delete trajectories that are measured",
        "runs": "the runs of a study, in their order",
    },
    program="valuedrift",
)
