"""The one way to ask a chat model: every question once, every answer kept."""

import sys
from collections.abc import Iterator
from pathlib import Path

from valuedrift.chat.ledger import Answer, Ledger
from valuedrift.chat.messages import Place, Reply, Request
from valuedrift.chat.spending import shutdown_warning
from valuedrift.config.chat import ChatJob
from valuedrift.errors import UserError


def ask(requests: list[Request], config: ChatJob, ledger: Path) -> list[Reply]:
    """The replies, in order. What the ledger holds is not asked again, and an answer is stored there at once.

    A question that the server rejects is a problem of this run alone: the next one asks it again. Raises UserError where the server
    cannot be asked; what was answered until then is in the ledger.
    """
    return list(replies(requests, config, ledger))


def replies(requests: list[Request], config: ChatJob, ledger: Path) -> Iterator[Reply]:
    """As `ask`, for so many replies with logprobs that all of them would fill the memory: read one at a time when all are there."""
    questions = {request.key(config): request for request in requests}
    with Ledger(ledger) as book:
        known = _known(questions, book)
        missing = len(questions) - len(known)
        rejected = _ask(questions, known, config, book) if missing else {}
        print(f"{config.model}: {len(questions)} questions, {missing} of them asked now", file=sys.stderr)
        for request in requests:
            key = request.key(config)
            yield _reply(rejected[key] if key in rejected else book.get([key])[key])


def _ask(questions: dict[str, Request], known: set[str], config: ChatJob, book: Ledger) -> dict[str, Answer]:
    """Ask what is not known until it is in the book; what the server rejected is returned."""
    if warning := shutdown_warning(config):
        print(warning, file=sys.stderr)
    for batch in book.batches_besides(questions):
        print(
            f"batch {batch} has answers to questions that are not asked now: they are paid all the same, and stay to be fetched "
            "when these are asked again",
            file=sys.stderr,
        )
    if config.batch:
        from valuedrift.chat.batch import answers_by_batch

        return answers_by_batch(questions, known, config, book)
    if under_way := set(book.under_way(key for key in questions if key not in known).values()):
        _fetch(sorted(under_way), questions, known, config, book)
        if len(known := _known(questions, book)) == len(questions):
            return {}
    from valuedrift.chat.asking import answers  # openai takes 1.4 s to import

    return answers(questions, known, config, book)


def _fetch(batches: list[str], questions: dict[str, Request], known: set[str], config: ChatJob, book: Ledger) -> None:
    """What batches under way answer is paid: it is fetched before the rest is asked live."""
    names = ", ".join(batches)
    if config.server is not None:
        raise UserError(
            f"{book.path} waits for {names}, which is paid and of another server: ask that once with `batch: true`, or ask "
            f"the questions anew after {book.how_to_forget(batches[0])}"
        )
    from valuedrift.chat.batch import fetch_batches

    print(f"waiting for {names}: paid already; once it is cancelled, what it leaves open is asked live", file=sys.stderr)
    fetch_batches(questions, known, config, book)


def _known(questions: dict[str, Request], book: Ledger) -> set[str]:
    return {key for key, answer in book.each(questions) if "rejected" not in answer}  # as older ledgers hold


def _reply(answer: Answer) -> Reply:
    if "rejected" in answer:
        return Reply(None, answer["rejected"])
    if answer["refusal"] or answer["finish_reason"] == "content_filter":
        return Reply(None, "refused")
    if places := answer.get("places"):
        return Reply(answer["text"], None, tuple(Place(token, [(t, p) for t, p in likeliest]) for token, likeliest in places))
    if answer["finish_reason"] == "length":
        return Reply(None, "cut at max_tokens", begun=answer["text"])
    if not (answer["text"] or "").strip():
        return Reply(None, "empty")
    return Reply(answer["text"], None)
