"""Of several config files that hold a key the one counts that the program reads over the others."""

import pytest

from tune.promotion.options.declared_options import find_options
from tune.promotion.options.option_values import option_in_force

CLI = """\
from pytorch_lightning.cli import LightningCLI
LightningCLI(subclass_mode_model=True)
"""
BASE = """\
optimizer: {class_path: Adam, init_args: {lr: 1.0e-3, eps: 1.0e-8}}
trainer:
  max_epochs: 6
  callbacks:
    - {class_path: EarlyStopping, init_args: {patience: 3}}
"""
FAST = "trainer: {max_epochs: 2}\noptimizer: {init_args: {lr: 2.0e-3}}\n"
FILES = ["--config", "base.yaml"]
BOTH = [*FILES, "--config", "fast.yaml"]
LR, EPS, EPOCHS = "optimizer.init_args.lr=", "optimizer.init_args.eps=", "trainer.max_epochs="
PATIENCE = "trainer.callbacks.0.init_args.patience="
WORD = "--optimizer.init_args.lr"
LAYERS = {
    "one file": (FILES, {LR: (1e-3, "base.yaml:1"), EPOCHS: (6, "base.yaml:3"), PATIENCE: (3, "base.yaml:5")}),
    "a later file": (BOTH, {LR: (2e-3, "fast.yaml:2"), EPS: (1e-8, "base.yaml:1"), EPOCHS: (2, "fast.yaml:1")}),
    "the other order": (["--config=fast.yaml", *FILES], {LR: (1e-3, "base.yaml:1"), EPOCHS: (6, "base.yaml:3")}),
    "a word behind the files": ([*BOTH, f"{WORD}=0.5"], {LR: None, WORD: (0.5, "args"), EPS: (1e-8, "base.yaml:1")}),
    "the same, shorter": ([*FILES, "--optimizer.lr", "0.5"], {LR: None, "--optimizer.lr": (0.5, "args")}),
    "a word before the file": ([f"{WORD}=0.5", *FILES], {LR: (1e-3, "base.yaml:1"), WORD: None}),
    "another class in a word": ([*FILES, "--optimizer=SGD"], {LR: None, EPS: None, EPOCHS: (6, "base.yaml:3")}),
    "another class in a file": ([*FILES, "--config", "sgd.yaml"], {LR: (0.1, "sgd.yaml:1"), EPS: None}),
    "another list in a file": ([*FILES, "--config", "none.yaml"], {PATIENCE: None, LR: (1e-3, "base.yaml:1")}),
    "a word for a callback": ([*FILES, "--trainer.callbacks.patience=9"], {PATIENCE: None}),
    "a part for the command": (["--config", "all.yaml", "fit", "--config", "fast.yaml"], {"fit." + EPOCHS: None}),
    "a file for a part": ([*FILES, "--optimizer", "part.yaml"], {LR: None, "init_args.lr=": (0.7, "part.yaml:2")}),
}


@pytest.mark.parametrize(("args", "expected"), LAYERS.values(), ids=LAYERS)
def test_of_files_and_words_of_a_lightning_cli_the_last_one_counts(program_of, tmp_path, monkeypatch, args, expected):
    (tmp_path / "base.yaml").write_text(BASE)
    (tmp_path / "fast.yaml").write_text(FAST)
    (tmp_path / "sgd.yaml").write_text("optimizer: {class_path: SGD, init_args: {lr: 0.1}}\n")
    (tmp_path / "none.yaml").write_text("trainer: {callbacks: []}\n")
    (tmp_path / "all.yaml").write_text("fit: {trainer: {max_epochs: 4}}\n")
    (tmp_path / "part.yaml").write_text("class_path: Adam\ninit_args: {lr: 0.7}\n")
    monkeypatch.chdir(tmp_path)
    program = program_of(CLI)
    options = (option_in_force(each, program, args, "args") for each in find_options(program, args))

    found = {each.name: (each.value, each.where) for each in options}

    assert {name: found.get(name) for name in expected} == expected


OVER, UNDER = (0.4, "over.yaml:1"), (0.1, "under.yaml:1")
SOURCES = {
    "merge": ("cfg = OmegaConf.merge(OmegaConf.load('under.yaml'), OmegaConf.load('over.yaml'))", [], OVER),
    "merge, read before": (
        "y = load('over.yaml')\nx = load('under.yaml')\ncfg = merge(x, y)",
        [],
        OVER,
    ),
    "update": ("cfg = load('under.yaml')\ncfg.update(load('over.yaml'))", [], OVER),
    "two stars": ("cfg = {**load('under.yaml'), **load('over.yaml')}", [], OVER),
    "a bar": ("cfg = load('under.yaml') | load('over.yaml')", [], OVER),
    "a bar and an equals sign": ("cfg = load('under.yaml')\ncfg |= load('over.yaml')", [], OVER),
    "a list": ("for path in ['under.yaml', 'over.yaml']: cfg = merge(cfg, load(path))", [], OVER),
    "the arguments in their order": ("cfg = merge(*map(load, args.config))", ["under.yaml", "over.yaml"], OVER),
    "the other order": ("cfg = merge(*map(load, args.config))", ["over.yaml", "under.yaml"], UNDER),
    "an argument over a default": ("cfg = load(args.config or 'under.yaml')", ["over.yaml"], OVER),
    "an argument below what is merged": ("cfg = merge(load(args.config), load('over.yaml'))", ["under.yaml"], OVER),
    "nothing that tells": ("a = load('under.yaml')\nb = load('over.yaml')", [], UNDER),
}


@pytest.mark.parametrize(("text", "args", "expected"), SOURCES.values(), ids=SOURCES)
def test_of_files_that_a_program_merges_the_one_on_top_counts(program_of, tmp_path, monkeypatch, text, args, expected):
    (tmp_path / "under.yaml").write_text("lr: 0.1\n")
    (tmp_path / "over.yaml").write_text("lr: 0.4\n")
    monkeypatch.chdir(tmp_path)

    (option,) = find_options(program_of(f"{text}\n"), ["--config", *args] if args else [])

    assert (option.value, option.where) == expected


@pytest.mark.parametrize(
    ("args", "names"),
    [(["--lr", "0.3"], ["optim.batch_size="]), (["--batch-size=8"], ["optim.lr="]), (["--fast"], 2)],
    ids=["a word", "a word with a dash", "another word"],
)
def test_a_value_that_a_word_says_is_none_of_the_file(program_of, tmp_path, monkeypatch, args, names):
    (tmp_path / "c.yaml").write_text("optim: {lr: 0.1, batch_size: 4}\n")
    monkeypatch.chdir(tmp_path)

    found = [each.name for each in find_options(program_of("cfg = load('c.yaml')\n"), args)]

    assert found == (["optim.lr=", "optim.batch_size="] if names == 2 else names)
