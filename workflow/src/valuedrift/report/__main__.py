from valuedrift.cli import dispatch

dispatch(
    __package__,
    {
        "table": "one drift table as CSV, Markdown and LaTeX",
        "categories_table": "the categories with the prompts that each step of curation kept, in the same three formats",
        "topics_table": "the topic of each category",
        "value_texts_table": "the values that synthetic preferences are written under",
        "samples_table": "what several runs say to one prompt",
        "pairs_table": "pairs of a synthetic preference set",
        "downstream_table": "scores on benchmarks",
        "quality_table": "how much of what was judged is sound",
        "figure": "one figure of stance trajectories as PDF and PNG",
        "ablation": "one figure of a stance against a training parameter as PDF and PNG",
        "page": "the report: tables, figures, samples and provenance in one file",
        "scorecard": "the paper's printed values against the study's, as CSV and one HTML page",
        "judges_page": "several judges on the same responses, as CSV and one HTML page",
        "summary": "a short drift table for the terminal",
    },
)
