"""Paired differences of two models' scores on the same questions."""

from typing import NamedTuple

import numpy as np
from scipy import stats

from valuedrift.stats.shares import Floats


class Difference(NamedTuple):
    """A mean difference with its interval, and the p-value against "there is none"; None where it is undefined."""

    mean: float
    low: float | None
    high: float | None
    p: float | None


def paired_difference(first: Floats, last: Floats, confidence: float = 0.95) -> Difference:
    """Return the mean difference, last less first, of scores on the same questions (questions,), of which there is at least one.

    Of answers that are right or wrong, 1 or 0: McNemar's exact test (McNemar 1947), and the adjusted Wald interval of Bonett and
    Price (2012), which has a width also where all answers are the same. Else Student's t.
    """
    mean, n = float((last - first).mean()), len(first)
    upper = (1 + confidence) / 2
    if np.isin([first, last], (0, 1)).all():
        won, lost = int((last > first).sum()), int((last < first).sum())
        gain, loss = (won + 1) / (n + 2), (lost + 1) / (n + 2)
        half = stats.norm.ppf(upper) * np.sqrt((gain + loss - (gain - loss) ** 2) / (n + 2))
        p = stats.binomtest(won, won + lost).pvalue if won + lost else 1.0
        return Difference(mean, max(-1.0, gain - loss - half), min(1.0, gain - loss + half), float(p))
    return t_difference(last - first, confidence)


def t_difference(differences: Floats, confidence: float = 0.95) -> Difference:
    """Return mean, interval and p-value of differences by Student's t; without the latter two where they do not vary."""
    mean = float(differences.mean())
    if len(differences) < 2 or differences.std() == 0:
        return Difference(mean, None, None, None)
    found = stats.ttest_1samp(differences, 0.0)
    low, high = found.confidence_interval(confidence)
    return Difference(mean, float(low), float(high), float(found.pvalue))
