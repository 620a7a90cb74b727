from collections import Counter

from valuedrift.miniature import grammar
from valuedrift.miniature.benchmark import questions


def test_one_choice_is_on_the_questions_subject_and_all_have_one_stance():
    rows = list(questions(0))
    assert len(rows) == 110 and rows == list(questions(0)) != list(questions(1))
    for row in rows:
        (categories, stances) = zip(*(grammar.parse(choice) for choice in row["choices"]), strict=True)
        assert len(set(categories)) == 4 and len(set(stances)) == 1
        assert set(row["choices"][row["answer"]].lower().rstrip(".").split()) & set(row["question"].lower().rstrip("?").split())
    assert min(Counter(row["answer"] for row in rows).values()) > 15
