from valuedrift.cli import dispatch

dispatch(
    __package__,
    {
        "prompts": "raw prompts, in PRISM's schema, and their labels",
        "planted": "the shares of stances with which the datasets are drawn",
        "dataset": "an SFT set or preference set, in the schema of a real one",
        "benchmark": "multiple-choice questions, for lm-eval",
        "tokenizer": "a byte-level BPE tokenizer of the language",
        "base": "the base model",
        "judge": "the judge model",
        "server": "the chat model, behind an OpenAI-compatible server",
        "recovery": "a comparison of planted, oracle and judged values",
        "found": "counts of the planted drifts that were found, missed and invented",
        "clustering": "how well curation recovered the prompts' labels",
    },
)
