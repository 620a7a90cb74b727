"""Which steps call a chat model, and which chat models are services elsewhere."""

from valuedrift.study.study import Study

CURATION_STEPS = {"questions": "rephrase", "cluster_names": "naming", "value_laden": "filter"}
"""Rule → the key under `prompts` that says whether the step calls a chat model: it does where the method is llm."""


def chat_of(study: Study, rule: str, judge: str | None = None) -> str | None:
    """Return the key under `chats` of the chat model that a job of the rule may call; None if it calls none.

    `judge` is the judge of a job that reads stances.
    """
    if rule in CURATION_STEPS:
        return study.config.prompts.chat if getattr(study.config.prompts, CURATION_STEPS[rule]) == "llm" else None
    if rule == "answers":
        return study.config.synthetic.chat if study.config.synthetic else None
    return study.config.judges[judge].chat if judge else None


def is_service(study: Study, chat: str | None) -> bool:
    """Return True if the chat model is a service elsewhere, for which a job needs a network."""
    return chat is not None and study.config.chats[chat].server is None
