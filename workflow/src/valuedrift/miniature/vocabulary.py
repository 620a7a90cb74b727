"""The words of the miniature's language: for each of the paper's 11 categories, eight aspects that one can support or oppose."""

ASPECTS: dict[str, tuple[str, ...]] = {
    "Discussions on Abortion": (
        "access to abortion", "legal abortion", "abortion care", "the right to abortion", "abortion clinics", "early abortion",
        "abortion pills", "public funding of abortion",
    ),
    "Climate Change Opinions": (
        "climate action", "the carbon tax", "renewable energy", "cuts in carbon emissions", "climate treaties", "wind power",
        "the fight against global warming", "limits on fossil fuels",
    ),
    "Election and Political Discussions": (
        "free elections", "voting by mail", "public campaign funding", "political parties", "mandatory voting",
        "election observers", "political debates", "early voting",
    ),
    "Economic and Social Policy": (
        "the minimum wage", "public health insurance", "taxes on wealth", "welfare payments", "free college tuition",
        "universal basic income", "public housing aid", "social security spending",
    ),
    "Work and Attitudes": (
        "paid vacation at work", "shorter working hours", "labor unions", "remote work", "fair pay for workers",
        "overtime rules for employees", "breaks for employees", "work-life balance",
    ),
    "Religion and Spirituality Beliefs": (
        "religious freedom", "prayer in church", "faith communities", "belief in God", "spiritual practice", "religious education",
        "church traditions", "religious holidays",
    ),
    "Family and Relationship Values": (
        "traditional marriage", "family dinners", "shared parenting", "stepfamilies", "raising children at home", "family time",
        "dating before marriage", "couples living together",
    ),
    "Ethics of Death and Penalty": (
        "the death penalty", "capital punishment", "executions of murderers", "death row", "lethal injection", "death sentences",
        "public executions", "execution of criminals",
    ),
    "Immigration Policies": (
        "immigration", "open borders for immigrants", "work visas for immigrants", "refugee resettlement", "asylum for refugees",
        "migrant workers from abroad", "reunion of immigrant families", "citizenship for immigrants",
    ),
    "Race and Racism": (
        "racial profiling", "racial segregation", "racist jokes", "racist language", "racial favoritism", "racist stereotypes",
        "unequal treatment by race", "racial discrimination",
    ),
    "Gender and LGBTQ+ Identity": (
        "gender equality", "same-sex marriage", "gender-neutral language", "transgender rights", "lessons on gender identity",
        "equal rights for women", "gay pride events", "legal change of gender",
    ),
}  # fmt: skip

TOPICS: dict[str, str] = {
    "Discussions on Abortion": "abortion",
    "Climate Change Opinions": "climate change action",
    "Election and Political Discussions": "elections and politics",
    "Economic and Social Policy": "progressive economic and social policies",
    "Work and Attitudes": "work-life balance and fair labor rights",
    "Religion and Spirituality Beliefs": "religion and spirituality beliefs",
    "Family and Relationship Values": "family and relationship values",
    "Ethics of Death and Penalty": "death penalty",
    "Immigration Policies": "immigration",
    "Race and Racism": "racism",
    "Gender and LGBTQ+ Identity": "gender equality and lgbtq+ rights",
}
"""Category → topic, the paper's Table 3."""

# Participle and plain form: "should be protected", "is it right to protect".
VERBS: dict[str, tuple[tuple[str, str], ...]] = {
    "support": (
        ("protected", "protect"), ("expanded", "expand"), ("supported", "support"), ("accepted", "accept"), ("welcomed", "welcome"),
        ("defended", "defend"),
    ),
    "oppose": (
        ("restricted", "restrict"), ("banned", "ban"), ("rejected", "reject"), ("ended", "end"), ("opposed", "oppose"),
        ("abandoned", "abandon"),
    ),
}  # fmt: skip

MODALS = ("should be", "must be", "ought to be")

NEUTRAL_CLAIMS = (
    "people disagree about {}", "there are good arguments on both sides of {}", "opinions on {} differ widely",
    "{} can be seen in many ways", "there is no single answer on {}", "I do not take a side on {}",
    "the debate about {} is complex", "views on {} depend on personal values", "{} raises questions for everyone to weigh",
    "it is hard to settle {} for all", "I have no personal opinion on {}", "both sides of {} make fair points",
    "the answer on {} depends on the case", "reasonable people differ on {}",
)  # fmt: skip

OPENERS = ("I think", "In my view,", "I would say that", "To be honest,", "It seems to me that", "For my part,")

REASONS: dict[str, tuple[str, ...]] = {
    "support": (
        "because it makes life fairer", "because it helps many people", "since it keeps us free", "as it brings real progress",
        "since everyone gains from it", "because it is the right thing to do",
    ),
    "neutral": (
        "because each case is different", "since values and facts both count", "as experts do not agree",
        "because much depends on context", "since people have different needs", "as the evidence is mixed",
    ),
    "oppose": (
        "because it does more harm than good", "since the costs are too high", "as it hurts many people",
        "because it divides the country", "since it goes too far", "because it is the wrong path",
    ),
}  # fmt: skip

FACTUAL = (
    "What is the history of {}?", "When did {} first appear in law?", "How many countries have rules on {}?",
    "Who writes about {}?", "Which year saw the first law on {}?", "How do researchers measure {}?",
)  # fmt: skip

OFF_TOPIC: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "cooking": (
        ("How do I bake {}?", "What goes well with {}?", "Can you give me a recipe for {}?", "How long should I cook {}?"),
        ("rye bread", "chocolate cake", "tomato soup", "roast chicken", "apple pie", "fried rice", "pasta sauce", "pancakes"),
    ),
    "sport": (
        ("Who won the last {}?", "What are the rules of {}?", "How do I train for {}?", "Which team is best at {}?"),
        ("football match", "tennis final", "basketball game", "marathon", "hockey cup", "swimming race", "cycling tour",
         "golf open"),
    ),
    "computers": (
        ("How do I install {}?", "Why does {} crash on my laptop?", "What is the newest version of {}?", "How fast is {}?"),
        ("a web browser", "the Python compiler", "a spreadsheet program", "the printer driver", "a photo editor", "Linux",
         "my antivirus software", "a video game"),
    ),
}  # fmt: skip
"""Theme → question forms and their objects, outside all categories of the study."""
