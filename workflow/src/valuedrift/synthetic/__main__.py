from valuedrift.cli import dispatch

dispatch(
    __package__,
    {
        "candidates": "the prompts of preference sets, each with its most similar category",
        "retrieve": "the prompts that are similar enough, the most similar of each category",
        "answers": "two answers to each prompt, for and against its category's value",
        "pairs": "the pairs of answers without refusals, empty and identical ones",
    },
)
