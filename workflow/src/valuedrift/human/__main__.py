from valuedrift.cli import dispatch

dispatch(
    __package__,
    {
        "sample": "judged responses for people to label: a table, a CSV sheet and a labelling page",
        "check": "the judge against the labels of one or more people, as CSV and one HTML page",
    },
)
