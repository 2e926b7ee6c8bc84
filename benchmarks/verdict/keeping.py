"""A session of proposals on a null program: what the rule "keep what is better" keeps, and what a verdict lets pass.

A session tries proposals one after the other, each trained once. The rule keeps a proposal whose score is above the
best one so far, the hardcoded values' at first. No proposal changes anything but the seed, so all that it keeps is
false. The gate asks for a verdict whenever the rule would keep something: the proposal beside the hardcoded values on
fresh seeds, with the error rate that is left for it. It is asked as often as the rule keeps, so that it has as many
chances to be wrong.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from benchmarks.verdict.simulated import NOISES, Noise, judge_fresh
from tune.results.confirm.error_rate import error_rate_of_verdict

N_PROPOSALS = 100


@dataclass(frozen=True, slots=True)
class Session:
    """What came of one session."""

    n_kept: int
    """Proposals that the rule kept."""
    n_passed: int
    """Of these, how many the verdict said are better."""
    n_trained: int
    """How many trainings the verdicts took."""


def run_session(noise: Noise, n_proposals: int, rng: np.random.Generator) -> Session:
    """Try so many proposals that change nothing."""
    hardcoded = noise.draw(rng, 0.0)
    best = float(hardcoded(1)[0])
    n_kept = n_passed = n_trained = 0
    for _ in range(n_proposals):
        proposal = noise.draw(rng, 0.0)
        score = float(proposal(1)[0])
        if score <= best:
            continue
        best = score
        n_kept += 1
        found = judge_fresh(hardcoded, proposal, error_rate_of_verdict(n_kept))
        n_trained += 2 * len(found.seeds)
        n_passed += found.verdict.finding == "gain"
    return Session(n_kept=n_kept, n_passed=n_passed, n_trained=n_trained)


def print_keeping(n_sessions: int, seed: int, kinds: Iterable[str] = NOISES) -> None:
    """Print, for each kind of noise, what both keep."""
    print(f"{n_sessions} sessions of {N_PROPOSALS} proposals that change nothing, seed {seed}\n")
    print(f"{'noise':18}{'kept':>8}{'sessions':>12}{'sessions':>12}{'trainings':>12}")
    print(f"{'':18}{'by rule':>8}{'with one':>12}{'with one':>12}{'of verdicts':>12}")
    print(f"{'':18}{'':>8}{'by rule':>12}{'by verdict':>12}")
    for kind in kinds:
        rng = np.random.default_rng([seed, 303, list(NOISES).index(kind)])
        sessions = [run_session(NOISES[kind], N_PROPOSALS, rng) for _ in range(n_sessions)]
        kept = np.mean([each.n_kept for each in sessions])
        by_rule = np.mean([each.n_kept > 0 for each in sessions])
        by_verdict = np.mean([each.n_passed > 0 for each in sessions])
        n_trained = np.mean([each.n_trained for each in sessions])
        print(f"{kind:18}{kept:>8.1f}{by_rule:>12.0%}{by_verdict:>12.1%}{n_trained:>12.0f}")
    print(f"{'target':18}{'':>20}{'5% at most':>12}")
