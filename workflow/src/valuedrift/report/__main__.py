from valuedrift.cli import dispatch

dispatch(
    __package__,
    {
        "drift_table": "one drift table as CSV, Markdown and LaTeX",
        "categories_table": "the categories with the prompts that each curation step kept, in the same three formats",
        "topics_table": "the topic that the judge is asked about in each category",
        "value_texts_table": "the value texts under which synthetic responses are written",
        "samples_table": "responses of several runs to one prompt",
        "pairs_table": "one pair of a synthetic preference set per category",
        "downstream_table": "scores on benchmarks",
        "quality_table": "flagged and truncated responses, option mass and flips of the judged responses",
        "verdicts": "the picture of all drifts with their verdicts as PDF and PNG",
        "sensitivity_table": "drift magnitudes under other ways to count the responses",
        "contrast_table": "differences of two runs, or two judges, on the same prompts",
        "figure": "one figure of stance trajectories as PDF and PNG",
        "ablation": "one figure of a stance against a training parameter as PDF and PNG",
        "forest": "a forest plot of a contrast as PDF and PNG",
        "page": "the report: tables, figures, samples and provenance in one HTML page",
        "scorecard": "the paper's printed values next to the study's, as CSV and one HTML page",
        "judges_page": "each other judge compared with the study's own, as CSV and one HTML page",
        "summary": "a short drift table for the terminal",
    },
)
