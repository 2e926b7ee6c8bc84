"""Figures of a package's size and names: ``python -m benchmarks.figures tune LIBRARY...``, each a folder of sources.

A word is standard that stands in names of files, classes or functions of three or more of the libraries.
"""

import ast
import re
import sys
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

FUNCTIONS = ast.FunctionDef | ast.AsyncFunctionDef
WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+")
LEAST_LIBRARIES = 3


def words_of(names: Iterable[str]) -> list[str]:
    """Return the words of names, in small letters."""
    return [word.lower() for name in names for word in WORD.findall(name)]


def names_in(folder: Path) -> tuple[list[str], list[str]]:
    """Return the names of a folder's functions, and those of its files and classes."""
    functions, others = [], []
    for path in folder.rglob("*.py"):
        try:
            tree = ast.parse(path.read_bytes())
        except SyntaxError:  # a template, or an example of a notebook
            continue
        others.append(path.stem)
        for node in ast.walk(tree):
            if isinstance(node, FUNCTIONS) and not node.name.startswith("__"):
                functions.append(node.name)
            elif isinstance(node, ast.ClassDef):
                others.append(node.name)
    return functions, others


def used_once(folder: Path) -> tuple[int, int]:
    """Return how many private functions of modules one place uses, and how many there are."""
    n_once = n_private = 0
    for path in folder.rglob("*.py"):
        tree = ast.parse(path.read_bytes())
        uses = Counter(node.id for node in ast.walk(tree) if isinstance(node, ast.Name))
        private = [each.name for each in tree.body if isinstance(each, FUNCTIONS) and re.match("_[^_]", each.name)]
        n_private += len(private)
        n_once += sum(uses[name] == 1 for name in private)
    return n_once, n_private


def main(package: str, *libraries: str) -> None:
    """Print the figures of a package; its words are held against those of the libraries."""
    folder = Path(package)
    functions, _ = names_in(folder)
    names = ([*functions, *others] for functions, others in (names_in(Path(each)) for each in libraries))
    known = Counter(word for each in names for word in {*words_of(each)})
    words = words_of(functions)
    paths = list(folder.rglob("*.py"))
    n_once, n_private = used_once(folder)
    n_lines = sum(path.read_bytes().count(b"\n") for path in paths)
    print(f"{len(paths)} files, {n_lines:,} lines, {len(functions)} functions")
    print(f"names of one word: {sum(len(words_of([name])) == 1 for name in functions) / len(functions):.0%}")
    print(f"private functions used in one place: {n_once / max(1, n_private):.0%} of {n_private}")
    if libraries:
        standard = sum(known[word] >= LEAST_LIBRARIES for word in words)
        print(f"standard words in names of functions: {standard / len(words):.1%} of {len(words)}")


if __name__ == "__main__":
    main(*sys.argv[1:])
