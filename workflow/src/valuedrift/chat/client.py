"""The one way to query a chat model: every question is asked once, every answer is kept."""

import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from valuedrift.chat.ledger import Answer, Ledger
from valuedrift.chat.malformed import MalformedAnswer
from valuedrift.chat.messages import Reply, Request
from valuedrift.chat.places import place_of
from valuedrift.chat.spending import shutdown_warning
from valuedrift.config.chat import ChatJob
from valuedrift.errors import UserError


def ask(requests: list[Request], config: ChatJob, ledger: Path) -> list[Reply]:
    """Return the replies, in the requests' order. What the ledger holds is not asked again; new answers are stored there at once.

    A question that the server rejects has no text in this run, and is asked again in the next; one whose answers cannot be used has
    none in the next run either. Raises UserError where the server fails; all answers until then are in the ledger.
    """
    return list(replies(requests, config, ledger))


def replies(requests: list[Request], config: ChatJob, ledger: Path) -> Iterator[Reply]:
    """Yield what `ask` returns, one reply at a time, once the ledger has all: many with logprobs would fill the memory."""
    questions = {request.key(config): request for request in requests}
    with Ledger(ledger) as book:
        known = _known(questions, book)
        missing = len(questions) - len(known)
        rejected = _ask(questions, known, config, book) if missing else {}
        print(f"{config.model}: {len(questions)} questions, {missing} of them asked now", file=sys.stderr)
        unusable = Counter[str]()
        for request in requests:
            key = request.key(config)
            answer = rejected[key] if key in rejected else book.get([key])[key]
            unusable.update([answer["unusable"]] if "unusable" in answer else [])
            yield _reply(answer)
        if unusable:
            reasons = "; ".join(f"{count} because {reason}" for reason, count in unusable.most_common())
            print(
                f"{config.model}: {unusable.total()} of {len(requests)} requests have no usable answer: {reasons}. To ask and pay "
                f"for them again, run {book.command_to_ask_again()} and then this step",
                file=sys.stderr,
            )


def _ask(questions: dict[str, Request], known: set[str], config: ChatJob, book: Ledger) -> dict[str, Answer]:
    """Ask what is not known until its answer is in the ledger; return what the server rejected."""
    if warning := shutdown_warning(config):
        print(warning, file=sys.stderr)
    for batch in book.batches_of_others(questions):
        print(
            f"batch {batch} answers questions that are not asked now: it is paid all the same, and fetched when they are asked "
            "again",
            file=sys.stderr,
        )
    if config.batch:
        from valuedrift.chat import batch as batch_api

        return batch_api.answers(questions, known, config, book)
    if under_way := set(book.under_way(key for key in questions if key not in known).values()):
        _fetch(sorted(under_way), questions, known, config, book)
        if len(known := _known(questions, book)) == len(questions):
            return {}
    from valuedrift.chat import live  # openai takes 1.4 s to import

    return live.answers(questions, known, config, book)


def _fetch(batches: list[str], questions: dict[str, Request], known: set[str], config: ChatJob, book: Ledger) -> None:
    """Store what batches under way answer, which is paid, before the rest is asked live."""
    names = ", ".join(batches)
    if config.server is not None:
        raise UserError(
            f"{book.path} waits for {names}, which is paid and runs at another server: ask that one with `batch: true`, or ask "
            f"the questions anew after {book.command_to_forget(batches[0])}"
        )
    from valuedrift.chat import batch as batch_api

    print(f"waiting for {names}: paid already. If you cancel it, what it leaves open is asked live", file=sys.stderr)
    batch_api.fetch(questions, known, config, book)


def _known(questions: dict[str, Request], book: Ledger) -> set[str]:
    return {key for key, answer in book.each(questions) if _is_sound(answer)}


def _is_sound(answer: Answer) -> bool:
    """Return False for what older versions stored and this one asks again: rejections, and impossible logprobs."""
    try:
        return all(place_of(*place) for place in answer.get("places", [])) and "rejected" not in answer
    except (MalformedAnswer, TypeError, ValueError):
        return False


def _reply(answer: Answer) -> Reply:
    if "rejected" in answer:
        return Reply(None, answer["rejected"])
    if "unusable" in answer:
        return Reply(None, answer["unusable"])
    if answer["refusal"] or answer["finish_reason"] == "content_filter":
        return Reply(None, "refused")
    if places := answer.get("places"):
        return Reply(answer["text"], None, tuple(place_of(*place) for place in places))
    if answer["finish_reason"] == "length":
        return Reply(None, "cut at max_tokens", begun=answer["text"])
    if not (answer["text"] or "").strip():
        return Reply(None, "empty")
    return Reply(answer["text"], None)
