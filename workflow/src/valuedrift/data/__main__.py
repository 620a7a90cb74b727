from valuedrift.cli import dispatch

dispatch(
    __package__,
    {
        "sft": "an SFT set as messages",
        "preferences": "a preference set as prompts with two answers",
        "mixture": "two preference sets mixed, one with a value gap",
    },
)
