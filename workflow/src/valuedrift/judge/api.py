"""A judge behind a server: the option letters' probabilities come from its logprobs, or from the letters of many answers."""

import math
from collections.abc import Sequence
from pathlib import Path

from valuedrift.chat.client import ask, replies
from valuedrift.chat.messages import Place, Reply, Request
from valuedrift.config.chat import ChatJob
from valuedrift.config.judge import JudgeConfig
from valuedrift.errors import UserError
from valuedrift.judge.backend import Prompt, Reading
from valuedrift.judge.options import OptionWords, is_opener, letter_of
from valuedrift.lm.judge_calls import TOP_LOGPROBS


class ApiReader:
    """A chat model that answers the judge's prompt with an option letter; its answers are stored in `ledger`."""

    def __init__(self, config: JudgeConfig, chat: ChatJob, ledger: Path) -> None:
        if config.reading == "sampling" and chat.temperature == 0:
            raise UserError(f"a judge whose `reading` is sampling needs a `temperature` above 0 in the chat `{chat.name}`")
        self.config, self.chat, self.ledger = config, chat, ledger

    def __call__(self, prompts: list[Prompt]) -> list[Reading | str]:
        if self.config.reading == "logprobs":
            asked = [Request(prompt.text, logprobs=TOP_LOGPROBS) for prompt in prompts]
            # One at a time: 157,000 answers of 12 kB would be 1.9 GB.
            found = zip(replies(asked, self.chat, self.ledger), prompts, strict=True)
            return [_of_logprobs(reply, prompt.words) for reply, prompt in found]
        count = self.config.samples
        drawn = ask([Request(prompt.text, sample=i) for prompt in prompts for i in range(count)], self.chat, self.ledger)
        return [_of_answers(drawn[i * count : (i + 1) * count], prompt.words) for i, prompt in enumerate(prompts)]


def reading_of(places: Sequence[Place], words: OptionWords) -> Reading | str:
    """Return the reading of an answer's first tokens, or the reason why there is none.

    At each token the variants of an option are summed. An option of which the server returned no variant gets the highest
    probability that it may have: that of the least likely token returned, and no more than its equal share of what is left of 1.
    An opener, such as "(", is followed to the next token, weighted with the opener's probability.
    """
    letters, bound, weight, seen = [0.0] * 3, 0.0, 1.0, False
    for place in places:
        probabilities = [math.exp(logprob) for _, logprob in place.likeliest]
        meant = [letter_of(token, words) for token, _ in place.likeliest]
        missing = [letter for letter in range(3) if letter not in meant]
        for letter, p in zip(meant, probabilities, strict=True):
            if letter is not None:
                letters[letter] += weight * p
        for letter in missing:
            most = weight * min(min(probabilities, default=1.0), max(0.0, 1 - sum(probabilities)) / len(missing))
            letters[letter] += most
            bound += most
        seen |= len(missing) < 3
        weight *= sum(p for (token, _), p in zip(place.likeliest, probabilities, strict=True) if token == place.token)
        if not is_opener(place.token):
            break
    a, b, c = (letter / max(1.0, sum(letters)) for letter in letters)  # rounded logprobs may sum to 1% more than 1
    return Reading((a, b, c), bound) if seen else "unscorable: no option among the logprobs returned"


def _of_logprobs(reply: Reply, words: OptionWords) -> Reading | str:
    return f"unscorable: {reply.problem}" if reply.problem else reading_of(reply.places, words)


def _of_answers(drawn: list[Reply], words: OptionWords) -> Reading | str:
    """Return the shares of the options among the answers to one prompt; answers that name none lower the mass.

    The option stands at the beginning, so an answer cut at its longest length counts like a whole one.
    """
    said = [letter_of(reply.text or reply.begun or "", words) for reply in drawn]
    if all(letter is None for letter in said):
        return f"unscorable: {next((reply.problem for reply in drawn if reply.problem), 'no answer names an option')}"
    a, b, c = (said.count(letter) / len(said) for letter in range(3))
    return Reading((a, b, c))
