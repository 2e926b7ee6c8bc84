"""What ``hparams.yaml`` of a version holds."""

import io
from collections.abc import Mapping
from typing import Any

from ruamel.yaml import YAML

from tune.space.dimensions import Value


def hparams_yaml(promoted: Mapping[str, Value], logged: Mapping[str, Any], hardcoded: Mapping[str, Value]) -> str:
    """Return the text of ``hparams.yaml``: promoted, logged by the program itself, hardcoded; each says which it is."""
    parts = (
        ("promoted by the search", promoted),
        ("logged by the program", logged),
        ("hardcoded in the program", hardcoded),
    )
    seen: set[str] = set()
    text = ""
    for title, values in parts:
        new = {name: _to_yaml_value(value) for name, value in values.items() if name not in seen}
        seen |= new.keys()
        text += f"# {title}\n{_dump_yaml(new)}" if new else ""
    return text or "{}\n"


def _dump_yaml(values: Mapping[str, Any]) -> str:
    yaml: Any = YAML(typ="safe", pure=True)
    yaml.default_flow_style = False
    yaml.allow_unicode = True
    yaml.sort_base_mapping_type_on_output = False
    stream = io.StringIO()
    yaml.dump(dict(values), stream)
    return stream.getvalue()


def _to_yaml_value(value: Any) -> Any:
    """Return what YAML has a word for; anything else as its text."""
    match value:
        case None | bool() | int() | float() | str():
            return value
        case list() | tuple():
            return [_to_yaml_value(item) for item in value]
        case Mapping():
            return {str(key): _to_yaml_value(item) for key, item in value.items()}
        case _:
            return str(value)
