from valuedrift.cli import dispatch

dispatch(
    __package__,
    {
        "prompts": "raw prompts, in PRISM's schema, and their labels",
        "planted": "the shares of the stances that the datasets are drawn with",
        "dataset": "one SFT set or preference set, in the schema of a real one",
        "benchmark": "multiple-choice questions, for lm-eval",
        "tokenizer": "a byte-level BPE of the language",
        "base": "the base model",
        "judge": "the judge model",
        "server": "the chat model, behind an OpenAI-compatible server",
        "recovery": "planted against oracle against judged",
        "clustering": "how well curation recovered the labels",
    },
)
