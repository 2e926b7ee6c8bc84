"""The loop that people and coding agents write: propose near the best, look, propose again. It takes two commands.

    python -m benchmarks.steer.loop COMMAND EXPERIMENT STORAGE N

It keeps nothing itself, so that it can be killed and started again: what was proposed is in the search.
"""

import json
import subprocess
import sys
import time

LEVELS = [0.01 + 0.001 * number for number in range(200)]


def ask(command: str, verb: str, *words: str) -> dict:  # type: ignore[type-arg]
    """Return what a command prints as JSON."""
    done = subprocess.run([*command.split(), verb, *words, "--json"], capture_output=True, text=True, check=False)
    return json.loads(done.stdout)  # type: ignore[no-any-return]


def main(command: str, experiment: str, storage: str, n_proposals: str) -> None:
    """Have so many proposals run, each of which is refused where it ran before."""
    where = (experiment, "--storage", storage)
    for number, level in enumerate(LEVELS[: int(n_proposals)]):
        while number % 5 == 0 and ask(command, "status", *where)["n_trials"]["waiting"] >= 5:
            time.sleep(0.2)
        answer = ask(command, "propose", *where, f"LEVEL={level:.4g}", "--why", f"level {level:.4g}")
        print(answer["what"], flush=True)


main(*sys.argv[1:])
