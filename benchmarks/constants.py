"""``python -m benchmarks.constants``: finding every constant of 200 modules, against parsing the same files.

The limit is ``ast.parse``: nothing finds a constant without reading the file. Both are measured in turn, in one
process, and the command as a whole in a process of its own, as a user waits for it.
"""

import ast
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from tune.promotion.find_constants import find_constants, shortest_names
from tune.promotion.program import find_program

N_MODULES = 200
N_REPETITIONS = 5
RUN_SEARCH = Path(__file__).parents[1] / "run_search.py"

MODULE = '''"""Part {number} of a made-up project, as long and as wordy as such modules are."""

import torch
from torch import nn
from torch.utils.data import DataLoader

LR = 1e-{exponent}  # of Adam
WIDTH_{number} = {width}
DROPOUT: float = 0.{number}
CFG = {{"optim": {{"lr": 1e-3, "weight_decay": 0.01}}, "name": "part{number}"}}


class Config:
    depth = {number}
    heads: int = 4


class Part{number}(nn.Module):
    """Maps (B, width) to (B, width)."""

    def __init__(self, width: int = WIDTH_{number}, depth: int = 2, activation: str = "relu") -> None:
        super().__init__()
        layers = []
        for _ in range(depth):
            layers += [nn.Linear(width, width), nn.ReLU() if activation == "relu" else nn.GELU(), nn.Dropout(p=DROPOUT)]
        self.layers = nn.Sequential(*layers)
        self.head = nn.Linear(in_features=width, out_features=width, bias=False)

    def forward(self, x):
        for number, layer in enumerate(self.layers):
            x = layer(x) if number % 2 else x + layer(x)
        return self.head(x)


def optimizer_{number}(model):
    decayed = [each for each in model.parameters() if each.ndim >= 2]
    groups = [{{"params": decayed, "weight_decay": CFG["optim"]["weight_decay"]}}]
    return torch.optim.AdamW(groups, lr=LR, betas=(0.9, 0.98), eps=1e-{exponent})


def loader_{number}(dataset):
    return DataLoader(dataset, batch_size={width}, shuffle=True, num_workers=2)
'''


def main() -> None:
    """Print the times, their ratio and its spread."""
    with tempfile.TemporaryDirectory() as folder:
        main_file = make_project(Path(folder), N_MODULES)
        files = sorted(Path(folder).rglob("*.py"))
        n_lines = sum(path.read_bytes().count(b"\n") for path in files)
        n_constants = len(find_constants(find_program(main_file)))
        pairs = [(_time(lambda: _parse(files)), _time(lambda: _find(main_file))) for _ in range(N_REPETITIONS)]
        command = [sys.executable, str(RUN_SEARCH), "constants", str(main_file)]
        processes = [
            _time(lambda: subprocess.run(command, check=True, stdout=subprocess.DEVNULL)) for _ in range(N_REPETITIONS)
        ]
    parses, finds = zip(*pairs, strict=True)
    print(
        f"{len(files)} modules, {n_lines:,} lines, {n_constants:,} constants; {N_REPETITIONS} repetitions, in seconds"
    )
    print(_line("ast.parse of the same files", parses))
    print(_line("finding the constants", finds))
    print(_line("ratio of the two", [find / parse for parse, find in pairs]))
    print(_line("`run_search.py constants`", processes))


def make_project(root: Path, n_modules: int) -> Path:
    """Write a project of modules that import each other in a chain, four to a package; return the program's file."""
    (root / "pyproject.toml").touch()
    imports = []
    for number in range(n_modules - 1 - n_modules // 4):
        package = root / f"package{number // 3}"
        if not package.exists():
            package.mkdir()
            (package / "__init__.py").touch()
        text = MODULE.format(number=number, exponent=2 + number % 5, width=16 << number % 4)
        (package / f"part{number}.py").write_text(text, encoding="utf-8")
        imports.append(f"from package{number // 3}.part{number} import Part{number}, loader_{number}")
    program = root / "train.py"
    body = "\n".join(f"Part{number}(width=8)" for number in range(len(imports)))
    program.write_text("\n".join(imports) + f"\n\nMAX_EPOCHS = 10\n{body}\n", encoding="utf-8")
    return program


def _parse(files: Sequence[Path]) -> None:
    for path in files:
        ast.parse(path.read_bytes())


def _find(main_file: Path) -> None:
    """Read everything anew: a program keeps what it read."""
    shortest_names(find_program(main_file))


def _time(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def _line(what: str, numbers: Sequence[float]) -> str:
    middle = statistics.median(numbers)
    return f"{what:<28} {middle:6.3f}   {min(numbers):.3f} to {max(numbers):.3f}"


if __name__ == "__main__":
    main()
