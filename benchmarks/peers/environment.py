"""A virtual environment for the peer whose versions clash with ours.

It holds what Hydra's sweeper needs, and behind that it sees the packages of the environment that runs the benchmark: so
torch and Lightning are the same there, and nobody downloads them twice.
"""

import os
import subprocess
import sys
import sysconfig
import venv
from pathlib import Path

PACKAGES = (
    "hydra-core==1.3.2",
    "hydra-optuna-sweeper==1.2.0",
    "hydra-joblib-launcher==1.2.0",
    "optuna==2.10.1",
    "joblib==1.6.0",
)
FINISHED = "promotune-peer.txt"


def hydra_python() -> Path:
    """Return the Python of the environment; it is made at the first call, in the cache of the user."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    folder = cache / "promotune" / "benchmarks" / f"hydra-{sys.version_info.major}.{sys.version_info.minor}"
    python = folder / "bin" / "python"
    seen = sysconfig.get_path("purelib")
    wanted = "\n".join((*PACKAGES, seen))
    finished = folder / FINISHED
    if finished.is_file() and finished.read_text() == wanted:
        return python
    print(f"making {folder} for Hydra's sweeper", flush=True)
    venv.create(folder, clear=True, with_pip=True)
    subprocess.run([python, "-m", "pip", "install", "--quiet", *PACKAGES], check=True)
    own = Path(next(folder.glob("lib/python*/site-packages")))
    (own / "behind.pth").write_text(f"{seen}\n")  # behind its own packages on the path
    finished.write_text(wanted)
    return python
