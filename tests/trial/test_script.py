"""The run of a tracker that a program holds open in a ``with`` block while its trial is stopped."""

import sys
from textwrap import dedent
from types import ModuleType

import pytest

from tune.promotion.program import find_program
from tune.trial.run_script import StoppedScript, _close_stopped_runs


class ActiveRun:
    """As MLflow's: an exception that leaves the block makes the run a failed one."""

    status = "RUNNING"

    def __enter__(self):
        return self

    def __exit__(self, kind, error, trace):
        self.status = "FINISHED" if kind is None else "FAILED"
        return kind is None


@pytest.mark.parametrize(
    ("error", "status"), [(StoppedScript(0), "FINISHED"), (SystemExit(1), "FAILED"), (ValueError(), "FAILED")]
)
def test_run_when_an_error_leaves_its_block_then_only_a_stop_is_no_failure(tmp_path, monkeypatch, error, status):
    package = ModuleType("mlflow")
    package.ActiveRun = ActiveRun
    monkeypatch.setitem(sys.modules, "mlflow", package)
    program = tmp_path / "program.py"
    program.write_text(dedent("import mlflow\n"))
    before = ActiveRun.__exit__
    with _close_stopped_runs(find_program(program)):
        run = ActiveRun()
        with pytest.raises(type(error)), run:
            raise error

    assert run.status == status
    assert ActiveRun.__exit__ is before
