"""What is searched: three programs, and for each a space of the constants that people tune first."""

from benchmarks.peers.assignment import Assignment

USUAL = {
    "LR": {"loguniform": [1e-4, 1e-1]},
    "BATCH_SIZE": {"choice": [16, 32, 64, 128]},
    "HIDDEN": {"lograndint": [16, 256]},
    "DROPOUT": {"uniform": [0.0, 0.7]},
}
PROGRAMS = "benchmarks.time_to_good.programs"
MOST_TRIALS = 1000
"""More than anybody trains before the time is up: who stops weak trials early has had his 200 in seconds."""


def _problem(program: str, metric: str, mode: str, **more: dict[str, list[float]]) -> Assignment:
    return Assignment(
        program=program,
        metric=metric,
        mode=mode,
        constants={**USUAL, **more},
        n_trials=MOST_TRIALS,
        epochs=10,
        grid=False,
    )


PROBLEMS = {
    "digits": _problem(
        "lit.digits", "Accuracy/Val", "max", HIDDEN2={"lograndint": [16, 256]}, GAMMA={"uniform": [0.5, 1.0]}
    ),
    "cancer": _problem(f"{PROGRAMS}.cancer", "CE/Val", "min", WEIGHT_DECAY={"loguniform": [1e-6, 1e-2]}),
    "diabetes": _problem(f"{PROGRAMS}.diabetes", "MSE/Val", "min", GAMMA={"uniform": [0.5, 1.0]}),
}
