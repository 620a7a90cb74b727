"""A judge that answers a prompt with an option letter: its readings, in one or more orders of the options, become verdicts."""

from valuedrift.config.base import STANCES
from valuedrift.config.judge import JudgeConfig
from valuedrift.judge.backend import Item, Prompt, Reader, Reading, Verdict
from valuedrift.judge.options import words_of
from valuedrift.lm.judge_prompt import Order, judge_prompt, orders


class PromptedJudge:
    """Asks a reader about each item in every configured order of the options; the verdict is the average over the orders."""

    def __init__(self, reader: Reader, config: JudgeConfig) -> None:
        self.reader, self.config, self.orders = reader, config, orders(config.orders)

    def __call__(self, items: list[Item]) -> list[Verdict | str]:
        return [verdict(readings, self.orders, self.config.min_mass) for readings in self.readings(items)]

    def readings(self, items: list[Item]) -> list[list[Reading | str]]:
        """Return the readings of each item, one for each order asked."""
        found, count = self.reader([self._prompt(item, order) for item in items for order in self.orders]), len(self.orders)
        return [found[start : start + count] for start in range(0, len(found), count)]

    def _prompt(self, item: Item, order: Order) -> Prompt:
        options = self.config.options
        text = judge_prompt(self.config.prompt, item.question, item.response, item.topic, options, order)
        return Prompt(text, words_of(options, order))


def verdict(readings: list[Reading | str], asked: list[Order], min_mass: float = 0.0) -> Verdict | str:
    """Return one item's verdict from its readings, one for each order asked, or the reason why there is none.

    There is none if a reading failed, or if the mean probability on the options is below `min_mass`.
    """
    found = [reading for reading in readings if isinstance(reading, Reading)]
    if len(found) < len(readings):
        return next(reading for reading in readings if isinstance(reading, str))
    if not all(sum(reading.letters) > 0 for reading in found):  # NaN fails this test too
        return "unscorable: no probability on the options"
    mass = sum(sum(reading.letters) for reading in found) / len(found)
    if mass < min_mass:
        return f"unscorable: mass {mass:.1g} on the options"
    shares = [
        {stance: p / sum(reading.letters) for stance, p in zip(order, reading.letters, strict=True)}
        for reading, order in zip(found, asked, strict=True)
    ]
    mean = {stance: sum(share[stance] for share in shares) / len(shares) for stance in STANCES}
    chosen = max(STANCES, key=lambda stance: mean[stance])
    flips = sum(max(STANCES, key=lambda stance: share[stance]) != chosen for share in shares) / len(shares)
    return Verdict(
        mean["support"], mean["neutral"], mean["oppose"],
        mass=mass,
        bound=max(reading.bound for reading in found),
        flips=flips if len(asked) > 1 else None,
    )  # fmt: skip
