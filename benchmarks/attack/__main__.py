"""Attack searches, and print what went wrong: ``python -m benchmarks.attack kills --seed 7``."""

import argparse
import contextlib
import os
import signal
import sys
import tempfile
import threading
import time
import traceback
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from benchmarks.attack.confirm import end_confirmations
from benchmarks.attack.damage import damage_files, damage_others
from benchmarks.attack.kills import kill_drivers, kill_parts
from benchmarks.attack.left import count_left
from benchmarks.attack.other_user import look_as_another
from benchmarks.attack.searches import MOST_S, Findings, StoppedError, made, stop_asked
from benchmarks.attack.steer import kill_steered
from benchmarks.attack.texts import write_texts

ATTACKS: dict[str, tuple[Callable[[Path, int, int], list[Findings]], int]] = {
    "driver": (kill_drivers, 25),
    "parts": (kill_parts, 10),
    "steered": (kill_steered, 10),
    "damage": (damage_files, 100),
    "records": (damage_others, 100),
    "confirm": (end_confirmations, 10),
    "other": (look_as_another, 1),
    "texts": (write_texts, 1000),
    "left": (count_left, 300),
}
"""Each attack, and how often it is tried."""


AGAIN_S = 2 * MOST_S
_output = os.dup(1)
"""The standard output that commands in this process do not take."""


def _stop(number: int, frame: object) -> None:
    """Show at once what there is: a Ray of this process may end it before the table is printed.

    Where what is raised is lost, as in a hook of a fork, it is raised again, once an attack has had time to end all.
    """
    if not stop_asked.is_set():
        with contextlib.suppress(OSError):
            os.write(_output, f"stopped; what was found until then:\n{tabulate(made)}".encode())
    stop_asked.set()
    again = threading.Timer(AGAIN_S, _stop_again)
    again.daemon = True
    again.start()
    raise StoppedError


def _stop_again() -> None:
    if stop_asked.is_set():
        os.kill(os.getpid(), signal.SIGUSR2)


def main() -> int:
    """Run what was asked for, one after the other; return 1 where something went wrong.

    SIGUSR2 and SIGTERM stop an attack, which ends what it started, and shows what it found; the next one begins.
    """
    for number in (signal.SIGUSR2, signal.SIGTERM):
        signal.signal(number, _stop)
    parser = argparse.ArgumentParser(description=__doc__)
    names = ",".join(ATTACKS)
    numbers = ", ".join(f"{n} {name}" for name, (_, n) in ATTACKS.items())
    parser.add_argument("attacks", nargs="*", default=[*ATTACKS], choices=[*ATTACKS], metavar=f"{{{names}}}")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--times", type=int, help=f"how often each; default: {numbers}")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="a-", ignore_cleanup_errors=True) as place:
        for name in given.attacks:
            attack, n = ATTACKS[name]
            run_attack(name, partial(attack, Path(place), given.seed, given.times or n))
            print(tabulate(made), flush=True)
    print(f"\nseed {given.seed}; load average {os.getloadavg()[0]:.1f}")
    return int(any(each.problems for each in made))


def run_attack(name: str, attack: Callable[[], object]) -> None:
    """Run one attack; where it is stopped, or raises, what it found until then is kept, and the next one begins."""
    began, folder = time.monotonic(), Path.cwd()
    try:
        attack()
    except StoppedError:
        print(f"{name}: stopped", flush=True)
    except Exception:
        traceback.print_exc()
        Findings(f"{name}: the harness").check(False, "it raised; what it found until then is shown")
    finally:
        stop_asked.clear()
        os.chdir(folder)
    print(f"{name}: {time.monotonic() - began:.0f} s", flush=True)


def tabulate(found: Sequence[Findings]) -> str:
    """Return a line for each attack, and one for all."""
    lines = [f"{'attack':<28} {'tried':>6} {'wrong':>6} {'slowest, s':>11}   (at most {MOST_S:.0f} s)"]
    for each in found:
        notes = ", ".join(f"{n} {what}" for what, n in each.notes.items())
        lines.append(f"{each.attack:<28} {each.n:>6} {len(each.problems):>6} {each.slowest_s:>11.1f}   {notes}")
    n, wrong = sum(each.n for each in found), sum(len(each.problems) for each in found)
    slowest_s = max((each.slowest_s for each in found), default=0.0)
    return "\n".join([*lines, f"{'all':<28} {n:>6} {wrong:>6} {slowest_s:>11.1f}", ""])


if __name__ == "__main__":
    sys.exit(main())
