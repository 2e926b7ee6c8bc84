"""The server of the Model Context Protocol, over standard input and output: ``promotune mcp``."""

import functools
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from mcp.server.mcpserver import MCPServer
from mcp.server.mcpserver.exceptions import ToolError
from mcp_types import ToolAnnotations

from tune.agents.guide import GUIDE
from tune.agents.processes import CommandError
from tune.agents.verbs import AgentVerbs
from tune.version import __version__


@dataclass(frozen=True, slots=True)
class AgentTool:
    """A verb as a tool of the server."""

    verb: str
    """The method of AgentVerbs; its docstring is what the agent reads."""
    reads_only: bool
    """Whether it changes nothing."""


TOOLS: Mapping[str, AgentTool] = {
    "constants": AgentTool("list_constants", reads_only=True),
    "start": AgentTool("start_search", reads_only=False),
    "status": AgentTool("read_status", reads_only=True),
    "propose": AgentTool("propose_trial", reads_only=False),
    "stop": AgentTool("stop_trials", reads_only=False),
    "resume": AgentTool("resume_search", reads_only=False),
    "results": AgentTool("read_results", reads_only=True),
    "verdict": AgentTool("ask_verdict", reads_only=False),
    "apply": AgentTool("show_diff", reads_only=True),
}


def serve_agents(storage: str | None) -> None:
    """Answer an agent until it closes the standard input. Searches that were started go on."""
    build_server(AgentVerbs(storage)).run("stdio")


def build_server(verbs: AgentVerbs) -> "MCPServer[Any]":
    """Return a server whose tools are the verbs."""
    server: MCPServer[Any] = MCPServer("promotune", version=__version__, instructions=GUIDE, log_level="WARNING")
    for name, tool in TOOLS.items():
        annotations = ToolAnnotations(read_only_hint=tool.reads_only, destructive_hint=False)
        server.tool(name, annotations=annotations)(_with_tool_errors(getattr(verbs, tool.verb)))
    return server


def _with_tool_errors(verb: Callable[..., Any]) -> Callable[..., Any]:
    """Let a CommandError of a verb reach the agent with its text."""

    @functools.wraps(verb)
    def call_verb(*words: Any, **named: Any) -> Any:
        try:
            return verb(*words, **named)
        except CommandError as error:
            raise ToolError(str(error)) from error

    return call_verb
