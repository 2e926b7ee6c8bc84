"""How surely a verdict has to hold, so that all verdicts of a project hold together.

Each verdict may be wrong. Whoever searches twenty times and believes each "real" probably believes a false one. So the
verdicts of a project share one error rate, ERROR_RATE: the n-th of them gets 6 / (pi n)^2 of it, and all of them
together no more than the whole, however many follow, as far as each errs as often as it says (alpha spending by online
Bonferroni: Tian and Ramdas, "Online control of the familywise error rate", 2021). A later verdict has to be surer; it
takes more seeds to be as sharp as the first.

Student's intervals are given NORMAL_SHARE of that. They err more often than they say where the differences are skewed,
as those of two configurations are whose noise is skewed and unequal. What corrects for skewness takes an estimate of
it, and a few seeds have none: the corrected t of Johnson (1978), Hall's transformation (1992), the bootstrap-t, and the
permutation of Welch's t (Janssen, 1997; Chung and Romano, 2013) err as often there as Student's t or more often, and
all but the last find much less (``benchmarks/README.md``).
"""

import math

ERROR_RATE = 0.05
"""The probability that one verdict or more of a project says "real" where nothing is; more for very skewed noise."""
EFFECT = 3.0
"""In standard deviations of the seed's noise: an effect that a verdict is to find."""
POWER = 0.95
"""How often it is to find that, where the noise of both is normal and equal; less often where it is not."""
NORMAL_SHARE = 1 / 3
"""The share of ERROR_RATE that all verdicts together use up where differences are normal; the rest is for skewed ones:
with a third, 4.3% of 1,000 sequences are false where noise is unequal and skewed (``python -m benchmarks.verdict
--simulate``; ``--alternatives`` has other shares)."""
MOST_SEEDS = 20


def error_rate_of_verdict(number: int) -> float:
    """Return how often the interval of the so-manieth verdict of a project, counted from 1, may miss a normal mean."""
    return NORMAL_SHARE * ERROR_RATE * 6 / (math.pi * number) ** 2


def unused_share(n_verdicts: int) -> float:
    """Return the share of a project's error rate that is left after so many verdicts; above 0."""
    return 1 - math.fsum(6 / (math.pi * number) ** 2 for number in range(1, n_verdicts + 1))


def next_error_rate(error_rate: float) -> float:
    """Return that of the verdict after the one that has this error rate."""
    return error_rate_of_verdict(1 + max(1, round(math.sqrt(error_rate_of_verdict(1) / error_rate))))


def count_needed_seeds(error_rate: float) -> int:
    """Return how many seeds find an EFFECT with POWER, of one configuration against the hardcoded values.

    From the noncentral t distribution of paired differences of independent scores with equal variances.
    """
    from scipy.special import nctdtr, stdtrit

    for n_seeds in range(3, MOST_SEEDS):
        critical = float(stdtrit(n_seeds - 1, 1 - error_rate / 2))
        if 1 - float(nctdtr(n_seeds - 1, EFFECT * math.sqrt(n_seeds / 2), critical)) >= POWER:
            return n_seeds
    return MOST_SEEDS
