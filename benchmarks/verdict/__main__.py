"""How often ``retrain --seeds 5`` judges rightly: what is not there is noise, what is there is real.

    python -m benchmarks.verdict [--repeats 10] [--trials 20] [--seed 0]
    python -m benchmarks.verdict --simulate [--sequences 100] [--trials 20] [--seed 0]
    python -m benchmarks.verdict --keep [--sequences 100] [--seed 0]
    python -m benchmarks.verdict --alternatives [--sequences 1000] [--seed 0]
    python -m benchmarks.verdict --real [--sequences 3] [--searches 20] [--seed 0]

Each repeat is a search on a real Ray, and a retraining of its best trial. The program's score is drawn from a standard
normal distribution. Without an effect the searched constant does nothing but shift the random numbers, so the best of
20 trials is luck alone (the winner's curse). With one, another constant adds three standard deviations. Each repeat has
seeds, and so random numbers, of its own. Prints what was found, how often, and what Student's t promises.

``--simulate`` trains nothing on Ray, and takes a minute: 20 searches in a row on one program, whose verdicts share an
error rate, with several kinds of noise; and planted overtuning, a validation set of 30 samples against a hold-out set.

``--keep`` trains nothing either: sessions of 100 proposals that change nothing, and how many of them the rule "keep
what is better" keeps, against the verdict.

``--alternatives`` trains nothing either, and takes five minutes: other tests than Student's t, and other shares of the
error rate.

``--real`` runs such sequences on a real Ray, with ``--confirm`` and the noise of real seeds. It takes half an hour.
"""

import argparse
import math
import shutil
import tempfile
from collections import Counter
from pathlib import Path

from scipy.stats import nct, t

from benchmarks.verdict.alternatives import print_alternatives
from benchmarks.verdict.keeping import print_keeping
from benchmarks.verdict.overtuning import print_overtuning
from benchmarks.verdict.sequences import print_sequences, run_quietly
from benchmarks.verdict.simulated import N_SEARCHES, print_simulation
from tune.cluster.backend import local_cluster
from tune.cluster.resources import Resources
from tune.experiment.open import open_experiment
from tune.experiment.records import RetrainRequest
from tune.results.retrain_results import judge_trials, read_retrained
from tune.results.verdict import ERROR_RATE

N_SEEDS = 5
EFFECT = 3.0  # standard deviations of a score
CONSTANTS = {
    "no effect": "  SHIFT: {randint: [0, 100000]}",
    "an effect": f"  SHIFT: {{randint: [0, 100000]}}\n  EFFECT: {{choice: [0.0, {EFFECT}]}}",
}
RIGHT = {"no effect": "noise", "an effect": "gain"}
SPACE = """\
system: chance.py
metric: Score/Val
mode: max
constants:
{constants}
scheduler: none
concurrency: 2
trainer: {{max_epochs: 1}}
"""
PROGRAM = Path(__file__).parents[2] / "tests" / "programs" / "chance.py"
"""Its score is noise of standard deviation 1, and an effect."""


def main() -> None:
    """Read the command line, and print what is asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=10)
    parser.add_argument("--trials", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0, help="of the first repeat; each further one has 1,000 more")
    parser.add_argument("--simulate", action="store_true", help="searches in a row and overtuning, without Ray")
    parser.add_argument("--real", action="store_true", help="searches in a row, on Ray")
    parser.add_argument(
        "--sequences", type=int, help="with --simulate or --keep, 100, --alternatives, 1000, or --real, 3"
    )
    parser.add_argument("--searches", type=int, default=N_SEARCHES, help="with --real: of each sequence")
    parser.add_argument("--keep", action="store_true", help="the rule `keep what is better` against the verdict")
    parser.add_argument("--alternatives", action="store_true", help="other tests, and other shares of the error rate")
    options = parser.parse_args()
    resources = Resources(n_cores=2, gpus=(), cpus_per_trial=1, gpus_per_trial=0, concurrency=2)
    if options.simulate:
        n_sequences = options.sequences or 100
        print_simulation(n_sequences, options.trials, options.seed)
        print_overtuning(3 * n_sequences, options.seed)
    elif options.keep:
        print_keeping(options.sequences or 100, options.seed)
    elif options.alternatives:
        n_sequences = options.sequences or 1000
        print_alternatives(10 * n_sequences, n_sequences, options.seed)
    elif options.real:
        with tempfile.TemporaryDirectory() as folder, local_cluster(resources):
            print_sequences(Path(folder), options.sequences or 3, options.searches, options.seed)
    else:
        _print_repeats(options, resources)


def _print_repeats(options: argparse.Namespace, resources: Resources) -> None:
    """Search and retrain both kinds in turn."""
    found: dict[str, Counter[str]] = {kind: Counter() for kind in CONSTANTS}
    with tempfile.TemporaryDirectory() as folder, local_cluster(resources):
        for repeat in range(options.repeats):
            for kind in CONSTANTS:
                project = Path(folder) / f"{kind.replace(' ', '-')}-{repeat}"
                finding, words = _judged(project, CONSTANTS[kind], options.trials, options.seed + 1000 * repeat)
                found[kind][finding] += 1
                print(f"{repeat + 1:>3} {kind}: {words}", flush=True)
    expected = _expected()
    for kind, counts in found.items():
        n_right = counts[RIGHT[kind]]
        others = ", ".join(f"{n} {finding}" for finding, n in counts.items() if finding != RIGHT[kind])
        print(
            f"{kind}: {RIGHT[kind]} in {n_right} of {options.repeats}{f' ({others})' if others else ''}"
            f"   (target: 9 of 10; Student's t promises {expected[kind]:.1%})"
        )


def _judged(project: Path, constants: str, n_trials: int, seed: int) -> tuple[str, str]:
    """Search and retrain; return the finding, and it in words."""
    project.mkdir()
    (project / "pyproject.toml").touch()
    shutil.copy(PROGRAM, project)
    (project / "s.yaml").write_text(SPACE.format(constants=constants))
    storage = ["--storage", str(project / "storage")]
    run_quietly("--space", str(project / "s.yaml"), "--trials", str(n_trials), "--seed", str(seed), *storage)
    run_quietly("retrain", "s", "--seeds", str(N_SEEDS), *storage)
    experiment = open_experiment("s", project / "storage")
    retrained = read_retrained(experiment.paths)
    requests: list[RetrainRequest] = [each.request for each in retrained]
    ((_, verdict),) = judge_trials(retrained, experiment, requests).items()
    return verdict.finding, verdict.sentence


def _expected() -> dict[str, float]:
    """Return how often the interval of five pairs tells rightly, of independent normal scores."""
    freedom = N_SEEDS - 1
    critical = t.ppf(1 - ERROR_RATE / 2, freedom)
    shift = EFFECT * math.sqrt(N_SEEDS / 2)  # of the mean difference, in its own standard deviations
    return {"no effect": 1 - ERROR_RATE, "an effect": float(nct.sf(critical, freedom, shift))}


if __name__ == "__main__":
    main()
