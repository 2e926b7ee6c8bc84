"""Write the parts of the documentation that the code knows: ``python -m docs.generate``.

A part stands in a page between ``<!-- generated: NAME -->`` and ``<!-- end of generated -->``. A test compares the
pages with the code.
"""

import ast
import inspect
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from tune import errors
from tune.agents.guide import GUIDE
from tune.cli.parser import COMMANDS
from tune.experiment import trial_result as outcome
from tune.experiment.records import PARTS

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
PART = re.compile(r"(<!-- generated: ([\w ]+) -->\n).*?(<!-- end of generated -->)", re.DOTALL)
STATUSES = {
    errors.EXIT_SEARCH: "the search could not go on",
    errors.EXIT_USER: "a mistake in a file or an option",
}


def main() -> None:
    """Write every page that has a generated part, and the list of pages."""
    for path, text in wanted_texts().items():
        path.write_text(text, encoding="utf-8")


def wanted_texts() -> dict[Path, str]:
    """Return the texts that generated files have to have."""
    texts = {}
    for path in sorted(DOCS.rglob("*.md")):
        text = path.read_text(encoding="utf-8")
        if PART.search(text):
            texts[path] = PART.sub(lambda match: f"{match[1]}\n{PARTS_OF_PAGES[match[2]]()}\n{match[3]}", text)
    return {**texts, DOCS / "llms.txt": list_pages()}


def list_parts_of_time() -> str:
    """Return a table of the parts of a worker's time."""
    return write_table(("part", "what it is"), [(f"`{name}`", what) for name, what in PARTS.items()])


def list_commands() -> str:
    """Return a table of the commands."""
    return write_table(("word", "what it does"), [(f"`{name}`", what) for name, what in COMMANDS.items()])


def list_errors() -> str:
    """Return a table of the classes of errors, each below its base."""
    rows = [
        (f"`{each.__name__}`", f"`{each.__mro__[1].__name__}`", str(each.exit_status), first_sentence(each))
        for each in walk_errors(errors.PromotuneError)
    ]
    return write_table(("class", "is a", "exit status", "when"), rows)


def walk_errors(base: type) -> Iterator[Any]:
    """Yield the errors below a class, depth first."""
    for each in base.__subclasses__():
        if each.__module__ == errors.__name__:
            yield each
            yield from walk_errors(each)


def first_sentence(described: Any) -> str:
    """Return the first paragraph of a docstring in one line, as Markdown."""
    return inspect.getdoc(described).partition("\n\n")[0].replace("\n", " ").replace("``", "`")


def list_trial_fields() -> str:
    """Return a table of what a trial of ``Experiment.trials`` has."""
    tree = ast.parse(inspect.getsource(outcome.TrialResult)).body[0]
    assert isinstance(tree, ast.ClassDef)
    rows = []
    for each, after in zip(tree.body, [*tree.body[1:], ast.Pass()], strict=True):
        match each:
            case ast.AnnAssign(target=ast.Name(id=name), annotation=annotation):
                told = after.value.value if isinstance(after, ast.Expr) else FIELDS_WITHOUT_A_SENTENCE[name]
                rows.append((name, ast.unparse(annotation), told))
            case ast.FunctionDef(name=name, returns=annotation) if annotation is not None and name[0] != "_":
                rows.append((name, ast.unparse(annotation), ast.get_docstring(each)))
    cells = [(f"`{name}`", f"`{kind}`".replace("|", "\\|"), " ".join(told.split())) for name, kind, told in rows]
    return write_table(("field", "type", "what it says"), cells)


FIELDS_WITHOUT_A_SENTENCE = {
    "number": "Its number, from 0; the baseline is 0.",
    "state": "`complete`, `pruned`, `failed`, `waiting` or `running`.",
}


def list_pages() -> str:
    """Return `llms.txt`: each page of the navigation with its first sentence."""
    config = YAML(typ="safe").load((ROOT / "mkdocs.yml").read_text(encoding="utf-8"))
    lines = [f"# {config['site_name']}", "", f"> {config['site_description']}", ""]
    lines += [f"- [{title}]({page}): {describe_page(page)}" for title, page in walk_navigation(config["nav"])]
    return "\n".join([*lines, ""])


def walk_navigation(entries: list[dict[str, Any]]) -> Iterator[tuple[str, str]]:
    """Yield title and path of each page."""
    for entry in entries:
        for title, below in entry.items():
            if isinstance(below, str):
                yield title, below
            else:
                yield from walk_navigation(below)


def describe_page(page: str) -> str:
    """Return the first sentence below a page's title."""
    _, _, text = (DOCS / page).read_text(encoding="utf-8").partition("\n\n")
    paragraph = " ".join(text.partition("\n\n")[0].split())
    plain = re.sub(r"\[([^]]*)\]\([^)]*\)", r"\1", paragraph)
    return re.split(r"(?<=[.:?])(?: |$)", plain)[0]


def write_table(header: tuple[str, ...], rows: list[tuple[str, ...]]) -> str:
    """Return a table of Markdown, with an empty line behind it."""
    lines = [header, tuple("---" for _ in header), *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def write_agents_guide() -> str:
    """Return what `promotune agents` prints, as a block that is not run."""
    return f"````markdown\n{GUIDE}````\n"


PARTS_OF_PAGES: dict[str, Callable[[], str]] = {
    "parts of time": list_parts_of_time,
    "agents guide": write_agents_guide,
    "commands": list_commands,
    "errors": list_errors,
    "fields of a trial": list_trial_fields,
}

if __name__ == "__main__":
    main()
