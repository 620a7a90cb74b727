from valuedrift.cli import dispatch

dispatch(
    __package__,
    {
        "sample": "draw judged responses for people to label: a table, a CSV sheet and a labelling page",
        "check": "compare the judge with the labels of one or more people, as CSV and one HTML page",
    },
)
