from valuedrift.command import dispatch

dispatch(
    __package__,
    {
        "table": "one drift table as CSV, Markdown and LaTeX",
        "figure": "one figure of stance trajectories as PDF and PNG",
        "html": "the report: tables, figures, samples and provenance in one file",
        "summary": "a short drift table for the terminal",
    },
)
