"""``promotune mcp``: a server of the Model Context Protocol for coding agents, over standard input and output."""

import argparse
from importlib.util import find_spec

from tune.errors import OptionError


def run(given: argparse.Namespace) -> int:
    """Answer until the standard input ends; raise OptionError where the package is not installed."""
    if find_spec("mcp") is None or find_spec("mcp_types") is None:
        what = "the server needs the package `mcp`, version 2 or later, which is not installed"
        raise OptionError(None, what, "pip install 'promotune[mcp]'")
    from tune.agents.server import serve_agents

    serve_agents(given.storage)
    return 0
