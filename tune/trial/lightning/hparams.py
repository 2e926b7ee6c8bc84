"""A version's hyperparameters: ``hparams.yaml``, and the session of TensorBoard's HPARAMS tab.

Only session starts and ends are written, never an experiment summary: without one TensorBoard infers columns, types and
ranges from all sessions, so that new trials appear while it runs. One summary anywhere overrides all others, which is
why torch's ``add_hparams`` is not used.
The driver writes them for a trial whose process died, so this module imports no torch and no Lightning.
"""

import io
import time
from collections.abc import Mapping
from typing import Any, Literal

from ruamel.yaml import YAML
from tensorboard.compat.proto.summary_pb2 import Summary
from tensorboard.plugins.hparams import api_pb2, metadata, plugin_data_pb2

from tune.space.dimensions import Value

Status = Literal["success", "failed"]


def session_start(hparams: Mapping[str, Any], started: float) -> Any:
    """Return the Summary that opens a session; numbers are numbers, what TensorBoard has no type for is its text."""
    start = plugin_data_pb2.SessionStartInfo(start_time_secs=started)
    for name, value in hparams.items():
        cell = start.hparams[name]
        if isinstance(value, bool):
            cell.bool_value = value
        elif isinstance(value, int | float):
            cell.number_value = value
        else:
            cell.string_value = str(value)
    data = plugin_data_pb2.HParamsPluginData(session_start_info=start)
    return _build_summary(metadata.SESSION_START_INFO_TAG, data)


def session_end(status: Status) -> Any:
    """Return the Summary that closes a session."""
    codes = {"success": api_pb2.STATUS_SUCCESS, "failed": api_pb2.STATUS_FAILURE}
    end = plugin_data_pb2.SessionEndInfo(status=codes[status], end_time_secs=time.time())
    return _build_summary(metadata.SESSION_END_INFO_TAG, plugin_data_pb2.HParamsPluginData(session_end_info=end))


def _build_summary(tag: str, data: Any) -> Any:
    value = Summary.Value(tag=tag, metadata=metadata.create_summary_metadata(data), tensor=metadata.NULL_TENSOR)
    return Summary(value=[value])


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
