"""Rules that separate value-laden English questions, on which people take sides, from factual ones and requests.

The paper asks GPT-4o: "Does the given question reflect a value-based issue with multiple perspectives? Reply Yes/No." Here the
first rule that matches a question decides; a question without a match is dropped, since nothing in its form shows a value.
"""

import re
from typing import NamedTuple

from valuedrift.prompts.english import has_question_mark, sentences, straight


class Verdict(NamedTuple):
    """Whether a question is kept, and the name of the rule that decided it with the words that it matched."""

    keep: bool
    reason: str


class Rule(NamedTuple):
    """`pattern` is searched at the start of a question if `at_start`, otherwise anywhere in it."""

    keep: bool
    name: str
    pattern: re.Pattern[str]
    at_start: bool


def _rules_at_start(keep: bool, name: str, *patterns: str) -> list[Rule]:
    return [Rule(keep, name, re.compile(rf"\W*(?:{pattern})(?!\w)", re.IGNORECASE), True) for pattern in patterns]


def _rules_anywhere(keep: bool, name: str, *patterns: str) -> list[Rule]:
    return [Rule(keep, name, re.compile(rf"\b(?:{pattern})(?!\w)", re.IGNORECASE), False) for pattern in patterns]


_WH = r"(?:what|how|where|when|which|who)"
_YOU = r"(?:you|u)"
_TASK_VERBS = (
    r"(?:tell me (?!if|whether)|give|write|help|list|suggest|recommend|provide|explain|describe|create|make|plan|find|show|name"
    r"|define|summari[sz]e|compare|generate|translate|teach|ask|share|advi[sc]e|convince|come up|elaborate|design|compose)"
)
_OPINION_NOUNS = r"(?:opinions?|views?|stance|position|thoughts?|perspectives?|take|feelings?|beliefs?|point of view)"
_OPINION_VERBS = r"(?:think|believe|support|oppose|agree|disagree|feel|consider|favou?r|approve|condemn)"
_REGULATED = (
    r"(?:allowed|banned|legal|illegal|forbidden|punished|abolished|legali[sz]ed|criminali[sz]ed|mandatory|compulsory|taxed)"
)
_EVALUATIVE = (
    r"(?:good|bad|better|worse|best|worst|wrong|right(?! wing)|important|necessary|needed|harmful|dangerous|evil|selfish|fair"
    r"|unfair|unjust|racist|sexist|homophobic|ok|okay|outdated|overrated|overpaid|natural|unnatural|normal|equal|superior|inferior|lazy|corrupt"
    r"|stupid|greedy|too (?:much|many|far|powerful|high|low|easy|strict|soft|woke|old)|beneficial|detrimental|worth|worthwhile"
    r"|essential|valuable|healthy|unhealthy|responsible|guilty|sin|sinful|crime|human rights?|murder|genocide|terrorists?"
    r"|hypocrit\w+|useless|useful|discriminat\w+|oppress\w+|privileged?)"
)
_AUXILIARY = r"(?:is|are|was|were|does|do|did|can|could|will|would|has|have|isn't|aren't|doesn't|don't|wasn't|can't)"

RULES = [
    # Questions for advice, predictions and tastes use the words of opinions, so these rules come first.
    *_rules_anywhere(
        False,
        "advice",
        rf"{_WH}\b[^?]{{0,40}}\bshould (?:i|my)",
        rf"(?:{_WH}|if|whether) i should",
        r"should i (?!vote|support|believe|be allowed)\w+",
    ),
    *_rules_anywhere(
        False,
        "prediction",
        rf"(?:{_WH}|how (?:long|many|much)|which \w+) do {_YOU} (?:think|believe) (?:will|would win|is going to)",
    ),
    *_rules_at_start(False, "prediction", r"who (?:will|is going to|would) (?:win|be)"),
    *_rules_at_start(
        False, "taste", r"do you (?:like|love|enjoy|prefer|watch|play|know|speak|eat|want|have(?! any|(?: an?)? opinion))"
    ),
    *_rules_anywhere(False, "taste", r"favou?rite"),
    *_rules_at_start(
        False, "request", rf"(?:can|could|will|would) {_YOU} (?:please )?{_TASK_VERBS}", r"what can you tell me", _TASK_VERBS
    ),
    *_rules_at_start(
        False,
        "factual",
        r"how (?:many|old|tall|big|fast|often|far|long ago)",
        r"when (?:did|was|is|were|will)|where (?:is|was|are|do|does|did|can)",
        r"who (?:was|were|wrote|invented|writes|discovered|founded|won|is the)",
        r"which (?:year|country|countries|team|city|state)(?! should)",
        r"what (?:does|is meant by)[^?]* mean|what happened",
    ),
    *_rules_anywhere(
        True,
        "opinion form",
        r"should(?:n't)?|ought",
        r"(?:im)?moral(?:ly|ity)?|(?:un)?ethical(?:ly)?|ethics",
        r"right or wrong|wrong or right|good or (?:a )?bad|(?:for|in favou?r(?: of)?) (?:or|and) against",
        r"pros? (?:and|&|or) cons?|advantages and disadvantages",
        rf"(?:your|you)(?: \w+)? {_OPINION_NOUNS}|(?:opinions?|views?|stance|thoughts) (?:on|about|regarding)",
        rf"(?:do|don't|would|did) {_YOU}(?: \w+)? {_OPINION_VERBS}",
        rf"(?:what|how) (?:do|to|would|did) {_YOU} (?:think|feel|see|say|view)|what {_YOU} think",
        rf"are {_YOU} (?:for|against|pro|in favou?r of|opposed to)",
        r"(?:un)?justif\w+|deserves?|(?:un)?acceptable|(?:have|has) (?:the|a) right to|entitled to",
        r"(?:is|was|be|it|it's)(?: (?:it|ever|always|really|not|morally|be))* (?:right|wrong|fair|unfair|okay|ok|wise|selfish)"
        r" (?:to|that|for|if)",
        rf"(?:be|get) {_REGULATED}",
    ),
    # Factual forms that can also ask for an opinion; "What is your view ..." is already kept by a rule above.
    *_rules_at_start(
        False,
        "factual",
        r"what(?:'?s)?(?: (?:is|are|was|were|kind|type|does|do|did|has|can|will|would|makes?|causes?))?",
        r"how (?!important|can (?:anyone|people|someone)|dare)\w+|who|where|when|whom|whose",
    ),
    *_rules_at_start(True, "evaluation", rf"(?:{_AUXILIARY}|which)\b[^?]*\b{_EVALUATIVE}", r"how important (?:is|are|was|were)"),
    *_rules_at_start(False, "explanation", r"why"),
]


def classify(question: str) -> Verdict:
    """Return the verdict on a text: kept if one of its questions (without a question mark: one of its sentences) is kept."""
    parts = sentences(straight(question))
    asked = [part for part in parts if has_question_mark(part)] or parts
    verdicts = [_classify_sentence(part) for part in asked]
    return next((verdict for verdict in verdicts if verdict.keep), verdicts[0] if verdicts else Verdict(False, "no text"))


def _classify_sentence(sentence: str) -> Verdict:
    for rule in RULES:
        if found := rule.pattern.match(sentence) if rule.at_start else rule.pattern.search(sentence):
            words = found.group().strip().lower()
            return Verdict(rule.keep, f"{rule.name}: {words if len(words) <= 40 else words[:39] + '…'}")
    return Verdict(False, "no form of opinion")
