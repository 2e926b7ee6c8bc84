"""The documentation says what is so: its options, its space files, its commands, its links."""

import contextlib
import inspect
import re
import shlex
import shutil
import tomllib

import pytest
from ruamel.yaml import YAML

import tune
from docs.generate import walk_navigation, wanted_texts
from tests.documentation import BLOCKS, PAGES, ROOT, blocks_marked, quoted, rows
from tests.recorded import searched
from tune import api
from tune.cli import main
from tune.cli.command_parsers import build_parser
from tune.cli.parser import COMMANDS, SEARCH, SEARCH_PROGRAM, split_command
from tune.experiment.open import open_experiment
from tune.paths import ExperimentPaths, VersionPaths
from tune.promotion.find_constants import find_constant, find_constants
from tune.promotion.program import find_program
from tune.promotion.resolve import resolve_constants
from tune.results.results_as_json import FIELDS, as_object
from tune.space.dimensions import KINDS, kind_of
from tune.space.range_words import read_range, split_range
from tune.space.search_methods import SAMPLERS, SCHEDULERS
from tune.space.settings import SETTINGS, Settings, check_setting, field_of_setting
from tune.space.space_file import KEYS, read_space
from tune.space.suggest_range import suggest_range

MOST_LINES = 120
"""Of README: a screen and a half."""

OF_COMMANDS = ("ci", "test", "part of", "install", "one command")
KINDS_OF_MARKERS = {
    "bash": OF_COMMANDS,
    "sbatch": ("test",),
    "python": ("ci", "source", "call"),
    "yaml": ("space", "part of a space", "cluster"),
    "text": ("output of", "part of", "message", "drawing"),
    "diff": ("output of", "part of"),
}
"""What may stand before a block, by its language. Tests below read all kinds but drawings and outputs of a training."""

PROGRAMS = ("run_search.py", "promotune")
"""How a command begins."""

NOT_YET_RUN: set[str] = set()
"""Keys that a space file may hold and a search cannot do yet: not advertised."""

DEFAULTS = Settings()
QUICKSTART = "docs/get-started/quickstart.md"
SEARCHED = "output of: python run_search.py --space lr_bs.yaml"
LINK = re.compile(r"\]\(([^)\s]+)\)")


def options_of(name):
    return set(build_parser(name).option_spellings)


def words_of(command):
    """Return the words behind the name of our program, or None."""
    words = shlex.split(command, comments=True)
    places = [place for place, word in enumerate(words) if word.rpartition("/")[2] in PROGRAMS]
    return [word for word in words[places[-1] + 1 :] if not word.startswith(">")] if places else None


LINES = [
    words
    for block in BLOCKS
    if block.language == "bash" and block.kind != "one command"
    for command in re.split(r"&&|\n", block.text)
    if "pip install" not in command and (words := words_of(command)) is not None
]


def slug_of(heading):
    """Return the anchor that GitHub gives a heading."""
    plain = re.sub(r"[`*]", "", heading).strip().lower()
    return re.sub(r"[^\w\- ]", "", plain).replace(" ", "-")


def anchors_of(text):
    without_code = re.sub(r"^```.*?^```", "", text, flags=re.DOTALL | re.MULTILINE)
    return {slug_of(heading) for heading in re.findall(r"^#+ (.+)$", without_code, re.MULTILINE)}


def test_the_readme_is_short():
    assert len(PAGES["README.md"].splitlines()) <= MOST_LINES


def test_a_page_when_the_code_tells_a_part_of_it_then_that_part_is_as_the_code_says():
    behind = [path for path, text in wanted_texts().items() if path.read_text(encoding="utf-8") != text]
    assert not behind, "write them again: python -m docs.generate"


def test_the_navigation_names_every_page_once():
    config = YAML(typ="safe").load((ROOT / "mkdocs.yml").read_text(encoding="utf-8"))
    assert sorted(f"docs/{page}" for _, page in walk_navigation(config["nav"])) == sorted(set(PAGES) - {"README.md"})


@pytest.mark.parametrize("page", PAGES)
def test_a_link_when_it_stands_in_a_page_then_it_leads_to_a_file_and_a_heading(page):
    folder = (ROOT / page).parent
    for target in LINK.findall(PAGES[page]):
        if target.startswith(("http://", "https://")):
            continue
        name, _, anchor = target.partition("#")
        path = (folder / name).resolve() if name else ROOT / page
        assert path.is_file(), target
        if anchor:
            assert anchor in anchors_of(path.read_text(encoding="utf-8")), target


@pytest.mark.parametrize("page", PAGES)
def test_a_page_has_a_title_and_a_sentence_below_it(page):
    title, empty, sentence, *_ = PAGES[page].splitlines()
    assert re.match(r"# \w", title)
    assert not empty
    assert re.match(r"[A-Z`]", sentence)


def test_a_block_when_it_stands_in_a_page_then_its_marker_says_who_reads_it():
    for block in BLOCKS:
        assert block.kind in KINDS_OF_MARKERS[block.language], f"no marker, or one of another language: {block}"


def test_a_block_when_another_has_its_marker_then_both_say_the_same():
    texts = {}
    for block in BLOCKS:
        if block.kind in ("ci", "output of"):
            assert texts.setdefault(block.marker, block.text) == block.text, block.marker


def test_a_block_that_is_a_part_of_another_stands_in_it():
    for block in BLOCKS:
        if block.kind == "part of":
            whole = next(each.text for each in BLOCKS if each.marker == block.name)
            assert block.text.strip() in whole, str(block)


def test_the_command_that_installs_names_the_package():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert blocks_marked("install") == [f"pip install {project['name']}\n"]


def test_the_page_that_installs_names_the_versions_of_lightning_and_torch():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    needed = {re.split(r"[><=,!]", each)[0]: each for each in project["dependencies"]}
    assert needed["pytorch-lightning"].startswith("pytorch-lightning>=2.5,<2.7")
    assert needed["torch"].startswith("torch>=2.5,")
    assert "`pytorch_lightning` (2.5 or 2.6) and torch (2.5 or later)" in PAGES[QUICKSTART]


def test_the_one_command_names_a_program_and_constants_that_it_holds():
    commands = [words_of(text) for text in blocks_marked("one command")]
    assert commands == [["train.py", "LR", "BATCH_SIZE"], ["lit/digits.py", "LR", "BATCH_SIZE"]]
    program = find_program(ROOT / "lit" / "digits.py")
    for name in ("LR", "BATCH_SIZE"):
        assert find_constant(name, program, find_constants(program), "here")


def test_the_message_of_a_wrong_name_is_the_one_that_is_printed(tmp_path, capfd, monkeypatch):
    for name in ("lit/digits.py", "search_spaces/lr_bs.yaml"):
        (tmp_path / name).parent.mkdir()
        shutil.copy(ROOT / name, tmp_path / name)
    (tmp_path / "pyproject.toml").touch()
    space = tmp_path / "search_spaces" / "lr_bs.yaml"
    space.write_text(space.read_text().replace("LR:", "LRR:"))
    monkeypatch.chdir(tmp_path)
    assert main(["--space", "lr_bs.yaml"]) == 2
    assert [capfd.readouterr().err] == blocks_marked("message")


def test_a_call_of_search_is_one_that_it_takes(monkeypatch):
    monkeypatch.chdir(ROOT)
    (text,) = blocks_marked("call")
    spaces = []
    exec(text, {"search": lambda **keys: spaces.append(api._space_from_keys(keys))})
    assert [list(space.dimensions) for space in spaces] == [["LR"]]


def test_the_page_of_the_python_api_has_every_public_name_and_parameter():
    page = PAGES["docs/reference/python-api.md"]
    names = [name for name in dir(tune.Experiment) if not name.startswith("_")]
    for function in (tune.search, tune.load, tune.Experiment.__init__, tune.Experiment.load):
        names += [name for name in inspect.signature(function).parameters if name != "self"]
    internal = {"paths", "snapshot", "baseline_value", "args", "is_sealed"}
    assert [name for name in dict.fromkeys(names) if name not in internal and not re.search(rf"\b{name}\b", page)] == []


def test_the_page_of_json_has_every_field_of_a_result(tmp_path):
    page = PAGES["docs/reference/json.md"]
    experiment = open_experiment("exp", searched(tmp_path, 3).folder.parent)
    written = as_object(experiment, experiment.trials)
    fields = [*written, *written["trials"][0], *FIELDS]
    assert [field for field in fields if f"`{field}`" not in page] == []


def test_the_page_of_files_names_every_file_of_an_experiment_and_of_a_trial(tmp_path):
    page = PAGES["docs/reference/files.md"]
    internal = {"folder", "pending_edit", "disk_reserve"}
    names = []
    for paths in (ExperimentPaths(tmp_path), VersionPaths(tmp_path)):
        for attribute, held in inspect.getmembers(type(paths), lambda each: isinstance(each, property)):
            if attribute not in internal:
                with contextlib.suppress(AttributeError):
                    names.append(held.fget(paths).name)
    assert len(names) > 15
    assert [name for name in names if name not in page and name != tmp_path.name] == []


def test_the_tables_of_samplers_and_schedulers_name_all_of_them_and_their_arguments():
    assert [quoted(name)[0] for name, *_ in rows("sampler")] == list(SAMPLERS)
    told = {quoted(name)[0]: set(quoted(arguments)) for name, _, arguments in rows("scheduler")}
    assert list(told) == list(SCHEDULERS)
    assert told == {name: set(spec.arguments) - {"metric"} for name, spec in SCHEDULERS.items()}


def test_the_table_when_compared_with_the_space_file_then_has_every_key_and_no_other():
    assert {key for row in rows("key") for key in quoted(row[0])} == KEYS - NOT_YET_RUN


def test_the_table_when_compared_with_the_command_line_then_has_every_option_and_no_other():
    options = {option for row in rows("key") for option in quoted(row[1])}
    assert options == options_of(SEARCH) | options_of("resume")


def test_the_table_of_commands_when_compared_with_them_then_has_every_option_and_no_other():
    told: dict[str, set[str]] = {}
    for command, option, _ in rows("command"):
        names = quoted(command)
        told.setdefault(names[0] if names else list(told)[-1], {"-h", "--help"}).update(quoted(option))
    of_program = told.pop("PROGRAM NAME...") | options_of(SEARCH)
    assert of_program - {"--space", "--version"} == options_of(SEARCH_PROGRAM)
    assert told == {name: options_of(name) for name in COMMANDS if name != "resume"}


@pytest.mark.parametrize("row", [row for row in rows("key") if row[0].strip("`") in SETTINGS], ids=lambda row: row[0])
def test_a_setting_when_the_table_tells_its_default_then_that_is_the_default(row):
    (name,) = quoted(row[0])
    default = getattr(DEFAULTS, field_of_setting(name))
    told = [YAML(typ="safe").load(text) for text in quoted(row[2])]
    assert [check_setting(name, value, None) for value in told] == ([] if default is None else [default])


def test_the_kinds_when_compared_with_the_code_then_are_all_there_and_their_examples_are_read(tmp_path):
    kinds = {quoted(row[0])[0]: quoted(row[2])[0] for row in rows("kind")}
    assert list(kinds) == list(KINDS)
    lines = [f"  C{number}: {example}" for number, example in enumerate(kinds.values())]
    head = f"system: {ROOT}/lit/digits.py\nmetric: m\nmode: max\nconstants:\n"
    (tmp_path / "kinds.yaml").write_text(head + "\n".join(lines))
    read = read_space(tmp_path / "kinds.yaml").dimensions.values()
    assert [type(dimension) for dimension in read] == list(KINDS.values())


@pytest.mark.parametrize("row", rows("name"), ids=lambda row: row[0])
def test_a_name_when_a_page_explains_it_then_it_leads_to_a_constant(row, tmp_path):
    (name,), code = quoted(row[0]), quoted(row[1])[:1]
    lines = [
        "from functools import partial",
        "import torch",
        "from torch import nn",
        "from torch.utils.data import DataLoader",
    ]
    module, line = "program", None
    if name == "config.LR":
        module, code = "config", ["LR = 1e-3"]
        (tmp_path / "program.py").write_text("import config\n")
    elif name == "Adam.lr@42":
        code = ["a = torch.optim.Adam(net.parameters(), lr=1e-3)"]
        lines += [*code, *[""] * 36]
        line = 42
    elif name.startswith("Net."):
        code = ["class Net(nn.Module):", *(f"    {each}" for each in code)]
    elif name == "main.lr":
        code = ["def main():", *(f"    {each}" for each in code)]
    (tmp_path / f"{module}.py").write_text("\n".join([*lines, *code]) + "\n")

    program = find_program(tmp_path / "program.py")
    found = find_constant(name, program, find_constants(program), "here")
    assert line in (None, found.sites[0].span.line)


HELD = {"LR": 1e-3, "EPS": 1e-8, "HIDDEN": 64, "DROPOUT": 0.2, "LAYERS": 3}


@pytest.mark.parametrize("row", rows("a constant that is"), ids=lambda row: row[0])
def test_a_range_on_the_command_line_when_a_page_names_its_kind_then_it_is_read_as_that(row):
    (word,), (kind,) = quoted(row[1]), quoted(row[2])
    written = split_range(word)
    held = HELD[written.name]
    assert kind_of(read_range(written, held, suggest_range(written.name, held).dimension)) == kind


def test_the_epochs_of_decisions_are_those_at_which_trials_of_the_example_were_pruned():
    (output,) = [block.text for block in BLOCKS if block.marker == SEARCHED and block.page == QUICKSTART]
    *first, last = sorted({int(epochs) for epochs in re.findall(r"pruned +(\d+) epoch", output)})
    told = f"pruned, after epochs {', '.join(map(str, first))} and {last} of 10"
    assert told in PAGES["docs/concepts/decisions.md"]


def test_the_epochs_that_a_page_counts_of_the_example_are_those_of_its_trials():
    (output,) = [block.text for block in BLOCKS if block.marker == SEARCHED and block.page == QUICKSTART]
    trained = list(map(int, re.findall(r"^ ?\d+/20 .*?(\d+) epochs?", output, re.MULTILINE)))
    assert len(trained) == 20
    told = " ".join(PAGES["docs/how-to/search.md"].split())
    assert f"20 trials trained {sum(trained)} epochs, and not {20 * max(trained)}." in told


def test_the_quickstart_says_first_which_files_the_package_lacks():
    start = PAGES[QUICKSTART].partition("\n## ")[0]
    for name in ("lit/digits.py", "search_spaces/lr_bs.yaml", "run_search.py"):
        assert f"`{name}`" in start
        assert (ROOT / name).is_file()


@pytest.mark.parametrize("page", ["README.md", QUICKSTART, "docs/how-to/machine.md", "docs/get-started/questions.md"])
def test_a_page_about_systems_says_that_windows_is_not_supported(page):
    assert re.search(r"Windows\W+is not supported", PAGES[page])


ASKED = (
    "CSV", "notebook", "W&B", "MLflow", "ranges on the command line", "undo", "disk is full", "EarlyStopping",
    "import lightning as L", "fix a constant", "logarithmic", "tune.py", "test set", "How many trials", "Windows",
    "pre-flight failed", "install", "change my source", "disk space", "at the same time", "out of memory",
    "number of epochs", "Which metric", "Ray could not be started", "another folder", "constants called",
    "command line. How", "every combination", "more trials", "baseline", "log out", "choose the GPU",
    "Optuna, Ray Tune", "stands in a call", "manual optimization", "several folds", "download", "much memory",
    "validation split", "my own run", "with its values", "is NaN", "belongs in git", "without Promotune",
    "one trial exactly", "or CI", "share one GPU", "real GPUs", "share no folder", "job ends",
)  # fmt: skip


@pytest.mark.parametrize("topic", ASKED)
def test_a_question_that_people_ask_has_an_answer(topic):
    lines = PAGES["docs/get-started/questions.md"].splitlines()
    assert [line for line in lines if line.startswith("| ") and topic in line.split(" | ")[0]] != []


@pytest.mark.parametrize("text", blocks_marked("space"))
def test_a_space_file_when_it_stands_in_a_page_then_it_is_read_and_its_constants_exist(text, tmp_path):
    path = tmp_path / "space.yaml"
    path.write_text(text.replace("system: ", f"system: {ROOT}/"))
    space = read_space(path)
    assert len(resolve_constants(space, find_program(space.program))) == len(space.dimensions)


PLAIN_SPACE = {
    "system": f"{ROOT}/lit/digits.py",
    "metric": "Score/Val",
    "mode": "max",
    "constants": {
        name: {"choice": [1, 2]} for name in ("LR", "D_MODEL", "N_HEADS", "CFG.low", "CFG.high", "OPTIMIZER")
    },
}


@pytest.mark.parametrize("text", blocks_marked("part of a space"))
def test_a_part_of_a_space_file_when_it_stands_in_a_page_then_it_is_read(text, tmp_path):
    yaml = YAML(typ="safe")
    part = yaml.load(text)
    with (tmp_path / "space.yaml").open("w") as file:
        yaml.dump({**PLAIN_SPACE, **part}, file)
    space = read_space(tmp_path / "space.yaml")
    assert part.keys() <= KEYS
    assert len(space.conditions) == text.count("when:")
    assert len(space.requirements) == len(part.get("require", ()))


def test_the_space_file_that_ships_when_compared_with_the_pages_then_stands_there():
    assert (ROOT / "search_spaces" / "lr_bs.yaml").read_text(encoding="utf-8") in blocks_marked("space")


@pytest.mark.parametrize("argv", list(map(list, dict.fromkeys(map(tuple, LINES)))), ids=" ".join)
def test_a_command_when_it_stands_in_a_page_then_it_is_understood(argv):
    name, words = split_command(argv)
    given = build_parser(name).parse_words(words)
    targets = {
        SEARCH: "space",
        "constants": "program",
        "promote": "program",
        "compare": "experiments",
        "list": "storage",
        "mcp": "storage",
        "completion": "shell",
    }
    target = None if name == "agents" else getattr(given, targets.get(name, "experiment"))
    assert target in ("lr_bs.yaml", "lr_bs", "lr_bs-2", ["lr_bs"], ["lr_bs", "lr_bs-2"], "lit/digits.py", "fish", None)


def test_the_output_of_constants_when_it_stands_in_a_page_then_it_is_what_is_printed(capfd, monkeypatch):
    monkeypatch.chdir(ROOT)
    monkeypatch.setattr("sys.argv", ["promotune"])
    assert main(["constants", "lit/digits.py"]) == 0
    printed = capfd.readouterr().out
    assert {block.text for block in BLOCKS if block.marker == "output of: promotune constants lit/digits.py"} == {
        printed
    }


def test_a_promoted_file_when_it_stands_in_a_page_then_it_is_what_is_written(tmp_path):
    path = tmp_path / "lr_batch_size.yaml"
    assert main(["promote", str(ROOT / "lit" / "digits.py"), "LR", "BATCH_SIZE", "-o", str(path)]) == 0
    assert path.read_text().replace(f"{ROOT}/", "") in blocks_marked("space")


def test_the_commands_of_the_pages_are_all_that_there_are():
    assert {argv[0] for argv in LINES} == {"--space", *COMMANDS}


def test_a_block_of_commands_when_it_stands_there_then_ci_or_a_test_runs_it():
    script = (ROOT / ".ci" / "run").read_text(encoding="utf-8")
    for block in BLOCKS:
        if block.kind == "ci":
            assert re.search(rf"\b{block.name}\b", script), f".ci/run does not run {block.name}"
        if block.kind == "test":
            assert (ROOT / block.name).is_file(), f"there is no {block.name}"
        if block.kind == "source":
            assert block.text in (ROOT / block.name).read_text(encoding="utf-8")
