from valuedrift.cli import dispatch

dispatch(
    __package__,
    {
        "stances": "stances of every response of one run, by one judge",
        "order_check": "the answers of one judge to some responses in all orders of the options",
    },
)
