"""What the autoscaler of a cluster may start, as the file says with which Ray's launcher started the head node."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tune.search.machines.nodes import Node

BOOTSTRAP = Path("~/ray_bootstrap_config.yaml")
"""Ray's launcher writes it to the head node, as JSON; where a cluster was started otherwise there is none."""


def startable(path: Path = BOOTSTRAP) -> tuple[Node, ...]:
    """Return all that there may be, the head too; runs on the head node."""
    try:
        config = json.loads(path.expanduser().read_text(encoding="utf-8"))
        kinds: Mapping[str, Mapping[str, Any]] = config["available_node_types"]
        head, most = config["head_node_type"], int(config.get("max_workers") or 0)
        found = [_kind(name, kind, _count(kind, most) + (name == head)) for name, kind in kinds.items()]
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return ()
    return tuple(node for node in found if node.count)


def _count(kind: Mapping[str, Any], most: int) -> int:
    return min(most, int(kind.get("max_workers") or 0))


def _kind(name: str, kind: Mapping[str, Any], count: int) -> Node:
    resources = kind.get("resources") or {}
    cpus, gpus = (float(resources.get(each) or 0) for each in ("CPU", "GPU"))
    return Node(name=name, cpus=cpus, gpus=gpus, count=count)
