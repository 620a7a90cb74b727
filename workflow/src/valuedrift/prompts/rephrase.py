"""Rules that turn English statements into natural questions with as few edits as possible.

The paper lets GPT-4o "minimally rephrase each prompt into a natural question format". Each rule is a pattern and the question
that a matching sentence becomes. The kinds of rules are tried in order, and a text that no rule matches stays as it is.
"""

import re
from collections.abc import Callable
from typing import NamedTuple

from valuedrift.prompts.english import (
    capitalised,
    has_question_mark,
    inside_sentence,
    is_direct_question,
    sentences,
    straight,
    tidy,
    without_greeting,
)


class Rule(NamedTuple):
    """`pattern` matches a whole sentence without its final punctuation; `question` is what it becomes, without "?"."""

    pattern: re.Pattern[str]
    question: str


def _rules(question: str, *patterns: str) -> list[Rule]:
    return [Rule(re.compile(pattern, re.IGNORECASE), question) for pattern in patterns]


_ADVERB = (
    r"(?:(?:also|do|really|strongly|firmly|truly|just|still|personally|honestly|definitely|sincerely|always|absolutely|totally) )*"
)
_NOT = r"(?:(?:don't|dont|do not|can't|cannot) )"
_THINK = rf"i {_ADVERB}(?:{_NOT}{_ADVERB}(?:think|believe)|(?:think|believe|reckon|guess|suppose|consider))"
_AM = r"(?:i am|i'm|im) (?:totally |strongly |very much |completely |quite )?"
_NOT_SELF = r"(?!i\b|i'|my\b|me\b|this\b|so\b)"  # nobody is for or against one's own life

OPINIONS = [
    *_rules(
        "Do you think {}",
        r"(?:in|from) my (?:personal )?(?:opinion|view|experience|point of view),? (?:that )?(.{8,})",
        rf"{_THINK},? (?:that )?(?!(?:about|of|on|in|so)\b|i\b(?! should)|i')(.{{8,}})",
        rf"{_THINK},? (?:that )?(in the .{{8,}})",
        rf"i {_ADVERB}feel (?:that|as if|as though|like) (?!\w+ing\b){_NOT_SELF}(.{{8,}})",
        rf"{_AM}(?:sure|convinced|certain|of the opinion|not sure|unsure) (?:that|if|whether) {_NOT_SELF}(.{{8,}})",
        r"my (?:opinion|view|belief|stance) is (?:that )?(.{8,})",
        r"it (?:really )?seems (?:to me )?(?:that |like |as if |as though )(.{8,})",
        r"i (?:often |really |just |was |am )?wonder(?:ing)? (?:if|whether) (?!you (?:can|could)\b)(.{8,})",
    ),
    *_rules("Do you believe in {}", rf"i {_ADVERB}{_NOT}?{_ADVERB}believe in (.+)"),
    *_rules("Do you agree that {}", rf"i {_ADVERB}(?:disagree|agree) that (.{{8,}})"),
    *_rules("Do you agree with {}", rf"i {_ADVERB}{_NOT}?{_ADVERB}(?:disagree|agree) with (.+)"),
    *_rules("Do you support {}", rf"i {_ADVERB}{_NOT}?{_ADVERB}support {_NOT_SELF}(.+)"),
    *_rules("Do you oppose {}", rf"i {_ADVERB}oppose (.+)"),
    *_rules("Are you {} {}", rf"{_AM}(against|opposed to|in favou?r of) (.+)"),
    *_rules(
        "What do you think about {}",
        rf"i {_ADVERB}(?:hate|dislike|{_NOT}like) (?!to\b|it\b|how\b|that\b|when\b|him\b|her\b|being\b)((?:(?!\b(?:i|my|me)\b).)+)",
    ),
]
"""Statements that say whose opinion they are, such as "I think ..."."""

_WISH = r"(?:i (?:really )?(?:want|need|would like|would love|wish|wanted)(?: you)? to |i'd (?:like|love)(?: you)? to )"
_PLEASE = rf"(?:please |kindly |just |{_WISH})*"
_LETS = r"(?:let's|lets|let us)"
_SHARE = r"(?:know |hear |ask |share |get |give (?:me )?|tell me )?(?:about )?"
_WONDER = r"(?:know|ask|ask you|hear|understand|learn|find out|tell me|i wonder|(?:i was|i am|i'm) wondering),?"
_WH = r"(?:what|who|why|how|when|where|which)"
_TALK = (
    rf"(?:talk|{_LETS} talk|talk (?:to|with) (?:me|you|someone)|{_LETS} (?:chat|speak|discuss)|chat|speak|tell me|know|learn|hear"
    r"|ask|ask you|(?:ask (?:you )?|i have )a question|have a (?:chat|conversation|discussion))"
)
_GET = r"(?:(?:give|provide|send|get|show)(?: me)? |i (?:need|want|would like) |i'd like |have )?"

REQUESTS = [
    *_rules(
        "What do you think about {}", rf"{_PLEASE}{_SHARE}(?:i wonder )?what (?:do )?you (?:really )?think (?:about|of|on) (.+)"
    ),
    *_rules(
        "What is your {} {} {}",
        rf"{_PLEASE}{_SHARE}your (opinion|view|stance|position|take|perspective)s? (on|about|of|regarding) (.+)",
    ),
    *_rules("What are your thoughts {} {}", rf"{_PLEASE}{_SHARE}(?:your |any )?thoughts (on|about|of|regarding) (.+)"),
    *_rules(
        "What are the {} {}",
        rf"{_PLEASE}(?:tell me |give me |list |explain |discuss |know )?(?:some )?(?:of )?(?:the )?"
        r"(pros? (?:and|&) cons?|advantages and disadvantages|arguments for and against) (.+)",
    ),
    *_rules("{}", rf"{_PLEASE}{_WONDER} ({_WH}(?: \w+)? (?:is|are|was|were|do|does|did|can|could|will|would|should) .+)"),
    *_rules("Can you tell me {}", rf"{_PLEASE}{_WONDER} ((?:{_WH}|if|whether)\b.+)"),
    *_rules(
        "What can you tell me about {}",
        rf"{_PLEASE}{_TALK} (?:more |something |everything |a bit |a little )?(?:about|on|regarding|concerning|over) (.+)",
        rf"{_PLEASE}{_GET}(?:some |more |the )?(?:info|information|details|facts) (?:about|on|regarding|concerning) (.+)",
        rf"{_PLEASE}(?:{_LETS} )?discuss (.+)",
    ),
    *_rules("Can you give me {} {}", r"i (?:really )?(?:need|want) (?:some |your |a little )?(help|advice) (.+)"),
    *_rules("Do you have any {}{}", r"any (ideas|suggestions|thoughts|advice|tips|recommendations)\b(.*)"),
    *_rules(
        "Can you {}",
        r"(?:please |kindly |just |i (?:really )?(?:want|need|would like) you to |i'd like you to )*"
        r"((?:tell|give|write|list|suggest|recommend|provide|help|create|make|plan|find|show|name|define|summari[sz]e|compare|explain"
        r"|describe|ask|advi[sc]e|share|generate|design|compose|translate|teach|assist|come up with|convince|imagine|draft|outline"
        r"|analy[sz]e|elaborate) (?!is\b|are\b).+)",
    ),
]
"""Requests for the model's opinion, for information, and for a task."""

_EVALUATIVE = (
    r"(?:wrong|right|immoral|moral|unfair|fair|important|good|bad|better|best|necessary|ok|okay|acceptable|unacceptable|unethical"
    r"|ethical|selfish|wise|cruel|natural|unnatural)"
)
_SUBJECT = (  # not the writer's own life, and no reference to an earlier sentence
    r"(?!(?:i|my|you|your|he|she|they|it|this|that|these|those|here|there|thank|thanks|if|when|while|with|because)\b|i')"
    r"(?:(?!who\b|that\b|which\b|and i\b)[^\s,.]+ ){1,7}"
)
_VERB = (
    r"(?:is|are|was|were|isn't|aren't|can|can't|cannot|could|will|won't|would|must|needs?|ought|deserves?"
    r"|(?:have|has) (?:an?|no|the|too|more|less|to)|(?:do|does) not|don't|doesn't|makes?|causes?|brings?|destroys?|kills?)"
)

STATEMENTS = _rules(
    "Do you think {}",
    r"((?!i (?!should)|i'|my (?:\w+ ){0,3}(?:said|thinks|says)|if i\b)(?:\S+ ){0,14}(?:should|shouldn't|shouldnt) .+)",
    rf"((?:it is|it's|it was|its) (?:\w+ )?{_EVALUATIVE}\b.+)",
    r"(there (?:is|are|was|were) (?:no|nothing|too|never|only|so much|so many|definitely)\b.+)",
    rf"({_SUBJECT}{_VERB} (?!\w+ing\b)(?:(?!\b(?:i|my|me|mine|im)\b).)+)",
)
"""Opinions that are stated as facts."""

_LEAD = re.compile(
    r"(?:(?:so|and|but|well|also|because|however|personally|honestly|actually|now|ok|okay|yes|no|please|to be honest"
    r"|as an? [^,]{3,60}),? )+(?=i\b|in my\b|\w+ \w+ \w+)",
    re.IGNORECASE,
)


def rephrase(text: str, names: frozenset[str] = frozenset()) -> str:
    """Return the text as a question; a question, a greeting or a text that no rule matches only gets tidy whitespace.

    `names` are words that keep their capital inside a sentence. Sentences before the one that becomes a question stay, as its
    context. What follows an opinion is dropped, since it argues for one side; what follows a question or a request stays.
    """
    text = tidy(text)
    body = without_greeting(text)
    if has_question_mark(body):
        return capitalised(_tidy_marks(body))
    parts = sentences(body)
    attempts: tuple[tuple[Callable[[str], str | None], bool], ...] = (
        (_direct, True),
        (lambda part: _apply(OPINIONS, part, names), False),
        (lambda part: _apply(REQUESTS, part, names), True),
        (lambda part: _apply(STATEMENTS, part, names), False),
    )
    for attempt, keeps_rest in attempts:
        for number, part in enumerate(parts):
            if (question := attempt(part)) is not None:
                return capitalised(" ".join([*parts[:number], question, *(parts[number + 1 :] if keeps_rest else [])]))
    return text


def _direct(sentence: str) -> str | None:
    """Return a question that lacks its mark, with its mark; it may follow a clause ("I am new here, what should I see")."""
    lead = _LEAD.match(straight(sentence))
    if lead and is_direct_question(sentence, lead.end()):
        return _marked(sentence[lead.end() :])
    clause = re.search(r", (?=(?:what|how|should|do you|can you|could you|is it) )", sentence)
    if is_direct_question(sentence) or (clause and is_direct_question(sentence, clause.end())):
        return _marked(sentence)
    return None


def _apply(rules: list[Rule], sentence: str, names: frozenset[str]) -> str | None:
    lead = _LEAD.match(straight(sentence))
    body = _unmarked(sentence[lead.end() :] if lead else sentence)
    for rule in rules:
        if found := rule.pattern.fullmatch(straight(body)):
            parts = [body[start:end] for start, end in found.regs[1:]]
            parts = [inside_sentence(part, names) if found.start(n) == 0 else part for n, part in enumerate(parts, 1)]
            return _marked(rule.question.format(*parts))
    return None


def _unmarked(sentence: str) -> str:
    return sentence.rstrip(" .!,;:…-")


def _marked(sentence: str) -> str:
    return f"{capitalised(_unmarked(sentence))}?"


def _tidy_marks(text: str) -> str:
    """Return the text with repeated question marks as one, and without a space before them."""
    return re.sub(r"\s*\?[?!.\s]*(?=\?)|\s+(?=\?)", "", text)
