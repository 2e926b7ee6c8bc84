"""What hydra composes, seen without running the program: each value with the file and the line that it stands in."""

import pytest

from tune.errors import ConstantError
from tune.promotion.configs.hydra_values import compose_config, refusal_to_compose
from tune.promotion.find.literals import Unknown
from tune.promotion.find_constants import find_constant
from tune.promotion.options.declared_options import find_options

MAIN = """
import hydra

@hydra.main(version_base="1.3", config_path="../configs", config_name="train.yaml")
def main(cfg):
    print(cfg)

main()
"""
CONFIGS = {
    "configs/train.yaml": """
        # @package _global_
        defaults:
          - _self_
          - model: small
          - optional local: null
          - opt@model.optimizer: adam
          - experiment: null

        seed: 12
        sizes: [16, 8]
        tag: ${seed}
        name: ???
        """,
    "configs/model/small.yaml": """
        defaults:
          - base
          - _self_
        net: {width: 16}
        """,
    "configs/model/large.yaml": "net:\n  width: 256\n",
    "configs/model/base.yaml": "net:\n  width: 4\n  depth: 2  # layers\n",
    "configs/opt/adam.yaml": "_target_: torch.optim.Adam\nlr: 1e-3\n",
    "configs/experiment/wide.yaml": """
        # @package _global_
        defaults:
          - override /model: large
        model:
          optimizer:
            lr: 0.1
        """,
}
HELD = {
    "the primary config": ([], "seed", 12, "configs/train.yaml:9"),
    "a list": ([], "sizes", [16, 8], "configs/train.yaml:10"),
    "an interpolation": ([], "tag", Unknown("${seed}"), None),
    "a missing value": ([], "name", Unknown("???"), None),
    "a group's file over what it includes": ([], "model.net.width", 16, "configs/model/small.yaml:4"),
    "what it includes": ([], "model.net.depth", 2, "configs/model/base.yaml:3"),
    "another package": ([], "model.optimizer.lr", 1e-3, "configs/opt/adam.yaml:2"),
    "a config group": ([], "model", "small", "configs/train.yaml:4"),
    "a word": (["seed=3"], "seed", 3, None),
    "a word for all of a part": (["model.net={width: 3}"], "model.net.width", 3, None),
    "a chosen group": (["model=large"], "model.net.width", 256, "configs/model/large.yaml:2"),
    "the choice itself": (["model=large"], "model", "large", None),
    "an experiment": (["experiment=wide"], "model.optimizer.lr", 0.1, "configs/experiment/wide.yaml:6"),
    "a group that an experiment chooses": (["experiment=wide"], "model", "large", "configs/experiment/wide.yaml:3"),
    "another primary config": (["-cn", "model/base"], "model.net.depth", 2, "configs/model/base.yaml:3"),
    "another folder": (["--config-path=../other"], "seed", 1, "other/train.yaml:1"),
}


@pytest.mark.parametrize(("args", "dest", "value", "place"), HELD.values(), ids=HELD)
def test_compose_config_returns_a_value_and_its_place(program_of, args, dest, value, place):
    program = program_of(MAIN, CONFIGS | {"other/train.yaml": "seed: 1\n"}, "src/train.py")

    composed = compose_config(program, args)

    assert repr(composed.values[dest]) == repr(value)
    assert (str(composed.places[dest]) if dest in composed.places else None) == place


def test_what_two_stars_pass_to_hydra_main_is_read(program_of):
    given = 'GIVEN = {"version_base": "1.3", "config_path": str(root / "configs"), "config_name": "train.yaml"}\n'
    decorator = '@hydra.main(version_base="1.3", config_path="../configs", config_name="train.yaml")'
    assert decorator in MAIN
    program = program_of(MAIN.replace(decorator, f"{given}@hydra.main(**GIVEN)"), CONFIGS, "src/train.py")

    assert compose_config(program, []).values["seed"] == 12


FOLDERS = {
    "a path": 'str(root / "configs")',
    "a path of parts": 'root.joinpath("configs")',
    "os.path.join": 'os.path.join(root, "configs")',
}


@pytest.mark.parametrize("folder", FOLDERS.values(), ids=FOLDERS)
def test_a_folder_below_what_running_tells_is_the_nearest_of_its_name(program_of, folder):
    program = program_of(MAIN.replace('"../configs"', folder), CONFIGS, "src/train.py")

    assert compose_config(program, []).values["seed"] == 12


UNKNOWN = {
    "a config of the program's": (MAIN.replace('"../configs"', "None"), CONFIGS, []),
    "a folder that only running it tells": (MAIN.replace('"../configs"', "folder()"), CONFIGS, []),
    "a group that is in no file": (MAIN, CONFIGS, ["model=stored"]),
    "several runs": (MAIN, CONFIGS, ["-m"]),
    "a search path": (MAIN, CONFIGS | {"configs/a.yaml": "hydra: {searchpath: ['pkg://evil']}"}, []),
    "no hydra": ("import sys", CONFIGS, []),
}


@pytest.mark.parametrize(("text", "others", "args"), UNKNOWN.values(), ids=UNKNOWN)
def test_compose_config_returns_nothing_that_is_not_certain(program_of, text, others, args):
    assert compose_config(program_of(text, others, "src/train.py"), args) is None


OLD = MAIN.replace('version_base="1.3", ', "")
LOGGING = {
    "configs/train.yaml": "defaults: [hydra/job_logging: quiet]\nseed: 12\n",
    "configs/hydra/job_logging/quiet.yaml": "version: 1\n",
}


def test_a_program_that_names_no_version_is_composed_as_hydra_1_1_does(program_of):
    composed = compose_config(program_of(OLD, LOGGING, "src/train.py"), [])

    assert composed.values == {"seed": 12}


def test_the_reason_is_told_where_hydra_itself_refuses(program_of):
    assert refusal_to_compose(program_of(MAIN, LOGGING, "src/train.py")) == (
        "configs/train.yaml: hydra does not compose it: Multiple values for hydra/job_logging. "
        "To override a value use 'override hydra/job_logging: quiet'"
    )
    assert refusal_to_compose(program_of(MAIN, CONFIGS, "src/train.py")) is None
    assert refusal_to_compose(program_of("import sys", CONFIGS, "src/train.py")) is None


MISSING = [
    ("[override hydra/job_logging: coloured]", "In 'hydra/config': Could not find 'hydra/job_logging/coloured'"),
    ("[model: lost]", "In 'train.yaml': Could not find 'model/lost'"),
]


@pytest.mark.parametrize(("defaults", "reason"), MISSING)
def test_what_helps_is_told_where_a_config_is_missing(program_of, defaults, reason):
    program = program_of(MAIN, {"configs/train.yaml": f"defaults: {defaults}\n"}, "src/train.py")

    assert refusal_to_compose(program) == (
        f"configs/train.yaml: hydra does not compose it: {reason}: "
        "add that file, or install the plugin of hydra that brings it"
    )


def test_what_is_there_of_a_group_is_told_where_the_chosen_config_is_missing(program_of):
    files = {"configs/train.yaml": "defaults: [model: lost]\n", "configs/model/small.yaml": "a: 1\n"}

    assert refusal_to_compose(program_of(MAIN, files, "src/train.py")) == (
        "configs/train.yaml: hydra does not compose it: In 'train.yaml': Could not find 'model/lost': add that file, "
        "or install the plugin of hydra that brings it, or choose what is there (small): --args model=small"
    )


def test_configs_that_are_there_are_told_where_the_primary_one_is_missing(program_of):
    files = {f"configs/{name}.yaml": "seed: 1\n" for name in ("small", "large", "model/base")}
    program = program_of(MAIN, files, "src/train.py")

    assert refusal_to_compose(program) == (
        "configs/train.yaml: hydra does not compose it: Cannot find primary config 'train.yaml': "
        "add that file, or name one that is there (large, small): --args '--config-name large'"
    )


def test_an_edited_config_is_read_again(program_of, tmp_path):
    program = program_of(MAIN, CONFIGS, "src/train.py")
    assert compose_config(program, []).values["model.net.depth"] == 2
    (tmp_path / "configs/model/base.yaml").write_text("net: {width: 4, depth: 33}\n")

    assert compose_config(program, []).values["model.net.depth"] == 33


def test_find_options_lists_what_hydra_composes(program_of):
    options = find_options(program_of(MAIN, CONFIGS, "src/train.py"))

    assert [(option.name, repr(option.value), option.where) for option in options] == [
        ("seed=", "12", "configs/train.yaml:9"),
        ("sizes=", "[16, 8]", "configs/train.yaml:10"),
        ("name=", "???", "src/train.py"),
        ("model.net.width=", "16", "configs/model/small.yaml:4"),
        ("model.net.depth=", "2", "configs/model/base.yaml:3"),
        ("model.optimizer.lr=", "0.001", "configs/opt/adam.yaml:2"),
        ("experiment=", "None", "configs/train.yaml:7"),
        ("opt@model.optimizer=", "'adam'", "configs/train.yaml:6"),
        ("local=", "None", "configs/train.yaml:5"),
        ("model=", "'small'", "configs/train.yaml:4"),
    ]


def test_a_name_that_leads_nowhere_is_answered_with_why_hydra_composes_nothing(program_of):
    program = program_of(MAIN, {"configs/train.yaml": "defaults: [model: lost]\n"}, "src/train.py")

    with pytest.raises(ConstantError) as caught:
        find_constant("model.lr", program, (), "")

    assert caught.value.hint.startswith(
        "configs/train.yaml: hydra does not compose it: In 'train.yaml': Could not find 'model/lost': add that file"
    )
    assert caught.value.hint.endswith("lists them all.")


READING = "import hydra\n@hydra.main(config_path='conf', config_name='c')\n"


@pytest.mark.parametrize(
    ("statement", "is_read"),
    [
        ("print(cfg.model.width)", False),
        ("print(cfg['model']['rate'])", True),
        ("print(cfg.model.twice)", True),  # which is what rate is
        ("hydra.utils.instantiate(cfg.model)", True),
        ("hydra.utils.call(cfg)", True),
        ("Net(**cfg.model)", True),
        ("print([value * 2 for value in cfg.model.values()])", True),
        ("low = {key.lower(): value for key, value in cfg.model.items()}", False),
        ("print(getattr(cfg.model, name))", True),
    ],
)
def test_a_value_that_hydra_composes_and_the_program_cannot_read_is_marked(statement, is_read, program_of):
    text = READING + f"def main(cfg):\n    {statement}\n"
    twice = "  twice: ${.rate}\n" if "twice" in statement else ""
    program = program_of(text, {"conf/c.yaml": f"model:\n  rate: 0.1\n  width: 8\n{twice}"})

    (option,) = (each for each in find_options(program) if each.name == "model.rate=")

    assert option.is_read is is_read


def test_hydras_function_may_read_a_value_under_another_name(program_of):
    text = f"from hydra.utils import instantiate as make\n{READING}def main(cfg):\n    make(cfg.model)\n"
    program = program_of(text, {"conf/c.yaml": "model: {rate: 0.1}\n"})

    (option,) = find_options(program)

    assert option.is_read


@pytest.mark.parametrize(
    ("config", "name"),
    [
        ("defaults:\n  - model: small\n", "model="),
        ("size: large\nnets: {large: {width: 3}}\nnet: '${nets.${size}}'\n", "nets.large.width="),
    ],
    ids=["a config group", "a nested interpolation"],
)
def test_what_a_config_takes_otherwise_than_by_a_key_counts_as_read(program_of, config, name):
    files = {"conf/c.yaml": config, "conf/model/small.yaml": "depth: 2\n"}
    options = find_options(program_of(f"{READING}def main(cfg):\n    print(cfg.net, cfg.model.depth)\n", files))

    assert [option.is_read for option in options if option.name == name] == [True]


def test_the_files_of_a_config_group_are_its_choices(program_of):
    options = {option.name: option for option in find_options(program_of(MAIN, CONFIGS, "src/train.py"))}

    assert options["model="].choices == ("large", "small")  # one includes base
    assert options["seed="].choices == ()
