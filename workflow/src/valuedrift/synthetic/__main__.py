from valuedrift.cli import dispatch

dispatch(
    __package__,
    {
        "candidates": "the prompts of preference sets, each with its most similar category",
        "retrieve": "the prompts that are similar enough, the best of each category",
        "answers": "each prompt answered for and against its category's value",
        "pairs": "without refusals, empty and identical answers, as a preference set",
    },
)
