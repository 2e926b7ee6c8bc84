"""How surely a verdict has to hold, so that all verdicts of a project hold together.

Each verdict may be wrong. Whoever searches twenty times and believes each "real" will believe a false one. So the
verdicts of a project share one error rate, ERROR_RATE: the n-th of them gets 6 / (pi n)^2 of it, and all of them
together never more than the whole, however many follow (alpha spending by online Bonferroni: Tian and Ramdas, "Online
control of the familywise error rate", 2021). A later verdict has to be surer; it takes more seeds to be as sharp as the
first.
"""

import math

ERROR_RATE = 0.05
"""The probability that one verdict or more of a project says "real" where nothing is."""
EFFECT = 3.0
"""In standard deviations of the seed's noise: an effect that a verdict is to find."""
POWER = 0.9
"""How often it is to find that."""
MOST_SEEDS = 20


def error_rate_of_verdict(number: int) -> float:
    """Return the share of ERROR_RATE that the so-manieth verdict of a project gets, counted from 1."""
    return ERROR_RATE * 6 / (math.pi * number) ** 2


def next_error_rate(error_rate: float) -> float:
    """Return the share of the verdict after the one that has this share."""
    return error_rate_of_verdict(1 + round(math.sqrt(6 * ERROR_RATE / error_rate) / math.pi))


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
