"""Answers that are not what was asked for."""

from valuedrift.chat.ledger import Answer


class MalformedAnswer(Exception):
    """The server's answer is not what was asked for; `reason` says what the server does, `more` the details or what to do."""

    def __init__(self, reason: str, more: str = "") -> None:
        super().__init__(f"{reason}: {more}" if more else reason)
        self.reason, self.more = reason, more


class UnusableAnswer(MalformedAnswer):
    """An answer of status 200, which is paid for, and of no use."""

    def __init__(self, malformed: MalformedAnswer, paid: Answer) -> None:
        super().__init__(malformed.reason, malformed.more)
        self.paid = paid
        """Its usage, and the chat that pays it."""

    @property
    def verdict(self) -> Answer:
        """What the ledger keeps of a question that has only such answers; the usage of each is stored apart, as it comes."""
        return {"unusable": f"the server {self.reason}"}
