import pytest

from valuedrift.lm.refusals import is_refusal


@pytest.mark.parametrize(
    "answer",
    [
        "I'm sorry, but I can't assist with that.",
        "I’m sorry, but I can’t assist with that request.",
        "Sorry, I cannot provide that kind of content.",
        "I apologize, but I am not able to write such an essay.",
        "I cannot fulfill this request, since it promotes hatred.",
        "I won't be able to help you with this.",
        "I must respectfully decline. Racism harms people.",
        "I understand your question, but I cannot in good conscience discuss it. I can't answer.",
        "As an AI language model, I do not have personal opinions on abortion.",
        "As an artificial intelligence, I don't hold political views, but there are arguments on both sides.",
        "That's a sensitive topic. I'd rather not discuss it.",
        "It would be inappropriate for me to take a side.",
        "I'm not programmed to take part in debates.",
        "I'm sorry, as an AI I only give facts.",
    ],
)
def test_refusals(answer):
    assert is_refusal(answer)


@pytest.mark.parametrize(
    "answer",
    [
        "I cannot support abortion, because every life counts.",
        "I can't help but admire those who welcome immigrants.",
        "I'm sorry, but I cannot agree: the death penalty protects nobody.",
        "I won't write off faith, which gives life its meaning.",
        "No, I do not believe that borders should be open.",
        "I'm sorry to hear that you were treated so. Racism is wrong.",
        "The death penalty cannot be undone, so courts must not impose it.",
        "Countries cannot provide work for everyone who comes.",
        "Refugees deserve asylum. " + "They bring courage and skill to their new home. " * 5 + "I cannot help everyone.",
        "",
    ],
)
def test_answers(answer):
    assert not is_refusal(answer)
