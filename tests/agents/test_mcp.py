"""The server of the Model Context Protocol, as the protocol's own client sees it."""

import json
import os
import subprocess
import sys
import time
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from tests.projects import write_program
from tune.cli import main
from tune.experiment.lock import is_locked
from tune.paths import ExperimentPaths

pytest.importorskip("mcp")

import anyio  # mcp brings it
from mcp import ClientSession, StdioServerParameters, stdio_client

from tune.agents.server import TOOLS

ROOT = Path(__file__).parents[2]
PATIENCE_S = 400  # on a machine that others use
SERVER = [sys.executable, "-P", "-m", "tune", "mcp"]


def environment():
    return {**os.environ, "PYTHONPATH": str(ROOT)}


@asynccontextmanager
async def client(project, storage):
    command, *words = [*SERVER, "--storage", str(storage)]
    parameters = StdioServerParameters(command=command, args=words, env=environment(), cwd=project)
    async with stdio_client(parameters) as streams, ClientSession(*streams) as session:
        await session.initialize()
        yield session


async def call(session, tool, **arguments):
    """Return what a tool answers; raise AssertionError where it is an error."""
    answer = await session.call_tool(tool, arguments)
    assert not answer.is_error, answer.content[0].text
    return answer.structured_content


async def error_of(session, tool, **arguments):
    answer = await session.call_tool(tool, arguments)
    assert answer.is_error
    return answer.content[0].text


async def wait_until(session, experiment, is_reached):
    ends_at = time.monotonic() + PATIENCE_S
    while True:
        status = await call(session, "status", experiment=experiment)
        if is_reached(status):
            return status
        assert time.monotonic() < ends_at, status
        await anyio.sleep(0.5)


def test_the_tools_are_these_and_bad_calls_are_told(tmp_path):
    project = write_program(tmp_path / "project", "chance").parent

    async def walk():
        async with client(project, tmp_path / "storage") as session:
            tools = (await session.list_tools()).tools
            assert [each.name for each in tools] == list(TOOLS)
            assert all(each.description and each.input_schema["properties"] for each in tools)
            found = await call(session, "constants", program="chance.py", every=True)
            assert {"SHIFT", "EFFECT"} <= {each["name"] for each in found["constants"]}
            assert "no experiment 'none'" in await error_of(session, "status", experiment="none")
            assert "experiment" in await error_of(session, "status")
            assert "does not begin with '-'" in await error_of(session, "apply", experiment="--write")
            told = await error_of(session, "start", program="chance.py", constants=["EFEKT=1..2"])
            assert "'EFEKT' is not a constant of chance.py" in told
            assert "Unknown tool" in await error_of(session, "write")

    anyio.run(walk)


def test_nothing_but_the_protocol_is_on_the_standard_output_and_the_server_ends_with_its_input(tmp_path):
    hello = {"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "t", "version": "0"}}
    lines = [
        {"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": hello},
        {"jsonrpc": "2.0", "method": "notifications/initialized"},
        "no JSON",
        "[" * 100_000,
        '{"a":' * 20_000,
        "x" * 5_000_000,
        "\0\udcff\udc80",
        "null",
        '{"jsonrpc": "2.0", "id": 1e400, "method": "ping"}',
        {"jsonrpc": "2.0", "id": 7, "method": "tools/call", "params": {"name": "status", "arguments": [[]]}},
        {"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": 12345}},
        {
            "jsonrpc": "2.0",
            "id": 2,
            "method": "tools/call",
            "params": {"name": "status", "arguments": {"experiment": "x"}},
        },
    ]
    text = "".join(f"{each if isinstance(each, str) else json.dumps(each)}\n" for each in lines)
    with subprocess.Popen(
        SERVER,
        cwd=tmp_path,
        env=environment(),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        errors="surrogateescape",
    ) as server:
        server.stdin.write(text)
        server.stdin.flush()
        found = []
        while 2 not in [each.get("id") for each in found]:  # what is no message before it ends nothing
            found.append(json.loads(server.stdout.readline()))
        server.stdin.close()
        found += [json.loads(line) for line in server.stdout]
        assert server.wait(60) == 0

    assert all(each["jsonrpc"] == "2.0" for each in found)
    assert {each.get("id") for each in found} >= {1, 2}


@pytest.mark.slow
def test_a_client_walks_through_search_proposal_verdict_and_diff(tmp_path):
    source = write_program(tmp_path / "project", "chance")
    before, storage = source.read_text(), tmp_path / "storage"

    async def walk():
        async with client(source.parent, storage) as session:
            words = {"constants": ["EFFECT=0.0,50.0,100.0"], "metric": "Score/Val", "mode": "max", "trials": 8}
            started = await call(session, "start", program="chance.py", name="walk", options=["--repeats"], **words)
            assert started["experiment"] == "walk"
            assert started["state"] == "running"
            told = await call(session, "propose", experiment="walk", constants={"EFFECT": 100.0}, why="a hunch")
            assert told["taken"]
            refused = await error_of(session, "propose", experiment="walk", constants={"EFFECT": 7.0})
            assert "EFFECT" in refused
            status = await wait_until(session, "walk", lambda each: each["state"] != "running")
            assert (status["state"], status["outcome"], status["verdict"]) == ("finished", "better", None)
            assert status["best"]["constants"]["EFFECT"] == 100.0
            results = await call(session, "results", experiment="walk", n_best=2)
            assert len(results["trials"]) == 2
            assert "note" in results
            assert "note" in await call(session, "apply", experiment="walk")
            assert (await call(session, "verdict", experiment="walk"))["finding"] is None
            await wait_until(session, "walk", lambda each: each["state"] != "running")
            verdict = await call(session, "verdict", experiment="walk")
            assert (verdict["finding"], verdict["state"]) == ("gain", "finished")
            assert verdict["interval"][0] > 50
            return await call(session, "apply", experiment="walk")

    diff = anyio.run(walk)

    assert "-EFFECT = 0.0\n+EFFECT = 100.0\n" in diff["diff"]
    assert diff["finding"] == "gain"
    assert "note" not in diff
    assert source.read_text() == before


@pytest.mark.slow
def test_a_search_goes_on_when_the_server_ends(tmp_path):
    source = write_program(tmp_path / "project", "chance")
    storage = tmp_path / "storage"

    async def start():
        async with client(source.parent, storage) as session:
            words = {"constants": ["SHIFT=0..100000"], "metric": "Score/Val", "mode": "max", "trials": 6}
            return await call(session, "start", program="chance.py", name="lasts", **words)

    started = anyio.run(start)
    paths = ExperimentPaths(Path(started["folder"]))
    assert is_locked(paths)
    assert main(["status", str(paths.folder), "--follow"]) in (0, 3)
    assert main(["list", "--storage", str(storage)]) == 0
