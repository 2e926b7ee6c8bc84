"""The same configuration has the same curve to the last bit, whether its trial is the first one or a later one."""

import os
import pickle
import tempfile
from pathlib import Path

import pytest

from tests.trial.conftest import Worker
from tests.trial.test_own_process import program, run, said
from tune.trial.process.client import prepare_template, process_server

DATA = "torch.linspace(-1, 1, 16).reshape(8, 2)"
DRAWN = "torch.randn(8, 2) + random.random() + torch.tensor(numpy.random.rand(8, 2)).float()"
PACKAGE = """
import random
import numpy
import torch

random.random()
numpy.random.seed(1337)
torch.manual_seed(7)
"""


@pytest.fixture(scope="module")
def own_server(tmp_path_factory):
    """A server whose processes find one more package, as an installed one."""
    packages = tmp_path_factory.mktemp("site-packages")
    (packages / "sidework.py").write_text(PACKAGE)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", os.pathsep.join([os.environ.get("PYTHONPATH", ""), str(packages)]))
        with tempfile.TemporaryDirectory(prefix="order-") as folder, process_server(Path(folder)) as server:
            patch.undo()
            yield server


@pytest.fixture
def run_twice(programs, tmp_path, own_server):
    """Return what runs a program before its imports are prepared, and afterwards, and gives both trials.

    The first one comes from a new template, as in a search that begins: it has not trained, and has no package.
    """

    def ran(text):
        begun = Worker(programs("program", text), tmp_path / "storage", own_server, metric="Loss/Val", mode="min")
        job = own_server.with_name("job")
        job.write_bytes(pickle.dumps(begun.job))
        prepare_template(own_server, job, {}, warm=False, wait_s=60)
        first = begun.run(preflight=True)
        job.write_bytes(pickle.dumps(begun.job))
        prepare_template(own_server, job, {"sidework": None}, warm=True, wait_s=60)
        return first, begun.run()

    return ran


def test_an_installed_package_that_draws_or_seeds_numbers_does_so_in_each_trial(run_twice):
    text = program().replace(DATA, DRAWN)
    first, later = run_twice(
        text.replace("import os\n", "import os\nimport random\nimport numpy\nimport sidework\n", 1)
    )

    assert (first.failure, later.failure) == (None, None)
    assert later.record.curve == first.record.curve


def test_a_variable_that_a_library_reads_as_it_is_first_used_is_read_in_each_trial(run_twice):
    first, later = run_twice(program(at_import="os.environ['MKL_VERBOSE'] = '1'"))

    assert (first.failure, later.failure) == (None, None)
    assert ("MKL_VERBOSE" in first.log) == ("MKL_VERBOSE" in later.log)


SETTINGS = Path(__file__).parents[1] / "programs" / "torch_settings.py"
KNOWN = {  # one of each kind that is looked for
    "torch.backends.fp32_precision",
    "torch.backends.cudnn.conv.fp32_precision",
    "torch.backends.cuda.matmul.allow_bf16_reduced_precision_reduction",
    "torch.backends.mkldnn.deterministic",
    "torch.backends.cuda.flash_sdp_enabled",
    "torch.get_default_dtype",
    "torch.get_float32_matmul_precision",
    "torch.utils.deterministic.fill_uninitialized_memory",
    "torch.multiprocessing.get_sharing_strategy",
    "torch._C._get_blas_preferred_backend",
}
UNCHANGED = {  # by a value of ours: some can be set once, or on a processor of another kind
    "torch._C._get_cpu_allow_fp16_reduced_precision_reduction",
    "torch._C._get_cublas_allow_bf16_reduced_precision_reduction",
    "torch._C._get_cublas_allow_fp16_reduced_precision_reduction",
    "torch._C._get_onednn_allow_tf32",
    "torch._C._get_tracing_state",
    "torch._C.get_num_interop_threads",
    "torch.backends.mkldnn.allow_tf32",
    "torch.backends.quantized.supported_engines",
    "torch.multiprocessing.get_start_method",
}


def test_every_setting_of_torch_is_in_each_trial_as_in_a_new_process(run_twice, programs):
    """The table of settings is taken from torch itself, so that one of a later torch is not forgotten."""
    programs("torch_settings", SETTINGS.read_text())
    built, optimizers = "        super().__init__()\n", "    def configure_optimizers"
    changes = "    def on_fit_end(self):\n        print('kept', change_all(FOUND))\n\n"
    text = program().replace(built, f"{built}        print('found', look_at_all(FOUND))\n")
    text = text.replace(optimizers, changes + optimizers).replace(
        "MAX_EPOCHS = 2\n", "MAX_EPOCHS = 2\nFOUND = find_settings()\n"
    )
    trials = run_twice(f"from torch_settings import change_all, find_settings, look_at_all\n{text}")

    assert [trial.failure for trial in trials] == [None, None]
    first, *others = [found for trial in trials for found in said(trial.log, "found ")]
    assert len(others) == 2  # after the pre-flight, and in the second trial
    changed = {name for found in others for name in first.keys() | found.keys() if first.get(name) != found.get(name)}
    assert [name for name in changed if not name.endswith("_get_thread_name")] == []  # which is the version's
    kept = {name for trial in trials for names in said(trial.log, "kept ") for name in names}
    assert first.keys() - kept >= KNOWN
    assert kept <= UNCHANGED
    assert trials[1].record.curve == trials[0].record.curve


KINDS = {  # what a program does as it is imported, and how it builds its model of `body`
    "plain": ("pass", "body"),
    "compiled": ("pass", "torch.compile(body, backend='eager', fullgraph=True)"),
    "compiled with its backward pass": ("pass", "torch.compile(body, backend='aot_eager')"),
    "compiled to machine code": ("pass", "torch.compile(body)"),
    "compiled in parts": ("pass", "nn.Sequential(torch.compile(body, backend='eager'), Breaking())"),
    "compiled for batches of any size": ("pass", "torch.compile(body, backend='eager', dynamic=True)"),
    "compiled once": ("torch._dynamo.config.recompile_limit = 1", "torch.compile(body, backend='eager')"),
    "compiled by a broken backend": ("pass", "torch.compile(body, backend=broken)"),
    "compiled by a broken backend, which is ignored": (
        "torch._dynamo.config.suppress_errors = True",
        "torch.compile(body, backend=broken)",
    ),
    "compiled with other random numbers": ("torch._inductor.config.fallback_random = True", "torch.compile(body)"),
    "products of bfloat16": ("torch.backends.fp32_precision = 'bf16'", "body"),
    "products of medium precision": ("torch.set_float32_matmul_precision('medium')", "body"),
    "deterministic": ("torch.use_deterministic_algorithms(True)", "body"),
    "numbers of 64 bits": ("torch.set_default_dtype(torch.float64)", "body.double()"),
    "without oneDNN": ("torch.backends.mkldnn.enabled = False; torch.set_flush_denormal(True)", "body"),
    "two threads": ("torch.set_num_threads(2)", "body"),
    "autocast": ("torch.set_autocast_enabled('cpu', True)", "body"),
    "without gradients": ("torch.set_grad_enabled(False)", "body"),
    "a hook of all modules": ("nn.modules.module.register_module_forward_hook(double)", "body"),
    "another layer": ("nn.Tanh.forward = lambda self, x: x.relu()", "body"),
    "SLURM": ("os.environ.update(SLURM_PROCID='1', SLURM_NTASKS='4', SLURM_JOB_NAME='s')", "body"),
    "torchrun": ("os.environ.update(RANK='0', LOCAL_RANK='0', WORLD_SIZE='1', MASTER_PORT='1')", "body"),
    "a PyTorchJob": ("os.environ.update(RANK='1', WORLD_SIZE='2', PET_NODE_RANK='1')", "body"),
    "MPI": (
        "os.environ.update(OMPI_COMM_WORLD_RANK='1', OMPI_COMM_WORLD_SIZE='2', PMI_RANK='1', PMI_SIZE='2')",
        "body",
    ),
    "deterministic where that can be": (
        "torch.use_deterministic_algorithms(True, warn_only=True); torch.backends.cudnn.benchmark = True",
        "body",
    ),
    "compiled, and told to run as it is": ("torch.compiler.set_stance('force_eager')", "torch.compile(body)"),
    "compiled where it is switched off": ("os.environ['TORCHDYNAMO_DISABLE'] = '1'", "torch.compile(body)"),
    "a script of torch's": ("torch.jit.set_fusion_strategy([('STATIC', 1)])", "torch.jit.script(body)"),
    "autocast to float16": (
        "torch.set_autocast_dtype('cpu', torch.float16); torch.set_autocast_enabled('cpu', True)",
        "body",
    ),
    "a seed of Lightning's": ("pl.seed_everything(11, workers=True)", "body"),
    "threads between operators": ("torch.set_num_interop_threads(1)", "body"),
    "anomalies looked for": ("torch.autograd.set_detect_anomaly(True)", "body"),
    "jsrun, Flux and PALS": (
        "os.environ.update(JSM_NAMESPACE_RANK='1', JSM_NAMESPACE_SIZE='2', FLUX_TASK_RANK='1', PALS_RANKID='1')",
        "body",
    ),
    "a crash": ("pass", "__import__('ctypes').string_at(0)"),
    "an abort": ("pass", "os.abort()"),
    "a Ctrl-C of its own": ("pass", "fail(KeyboardInterrupt())"),
    "an error of CUDA's": ("pass", "fail(RuntimeError('CUDA error: device-side assert triggered'))"),
    "no memory": ("pass", "fail(MemoryError())"),
    "an exit": ("pass", "os._exit(3)"),
    "a kill": ("pass", "os.kill(os.getpid(), 9)"),
}
FAULTS = {
    "compiled by a broken backend",
    "a crash",
    "an abort",
    "a Ctrl-C of its own",
    "an error of CUDA's",
    "no memory",
    "an exit",
    "a kill",
}
HELPERS = """
class Breaking(nn.Module):
    def forward(self, x):
        torch._dynamo.graph_break()
        return x.sin()


def broken(graph, inputs):
    raise ValueError("a broken backend")


def double(module, inputs, output):
    return 2 * output


def fail(error):
    raise error


"""


def of_all_kinds():
    """Return a program that does what its KIND says."""
    begins = "".join(f"    if KIND == {kind!r}:\n        {deed}\n" for kind, (deed, _) in KINDS.items())
    builds = "".join(f"            {kind!r}: lambda: {build},\n" for kind, (_, build) in KINDS.items())
    text = program(at_import="begin()", loader="batch_size=3, shuffle=True").replace("SOUND = False", 'KIND = "plain"')
    text = text.replace("and not SOUND", "and False").replace(
        "        self.net = nn.Sequential(nn.Linear(2, 4), nn.Tanh(), nn.Linear(4, 1))\n",
        "        body = nn.Sequential(nn.Linear(2, 4), nn.Dropout(0.3), nn.Tanh(), nn.Linear(4, 1))\n"
        f"        self.net = {{\n{builds}        }}[KIND]()\n",
    )
    return text.replace("def at_import", f"{HELPERS}def begin():\n{begins}\n\ndef at_import")


@pytest.mark.slow
def test_each_of_many_programs_has_the_same_curve_whatever_trials_ran_before_it(worker):
    begun, ways = worker("program", of_all_kinds(), metric="Loss/Val", mode="min"), []
    for kinds in (list(KINDS), [*reversed(KINDS)]):
        ways.append({kind: describe(*run(begun, KIND=kind)[:2]) for kind in kinds})

    first, second = ways
    assert [kind for kind in KINDS if first[kind] != second[kind]] == []
    bad = {kind for kind, (stage, *_) in first.items() if stage != "complete"}
    assert bad >= FAULTS
    assert len({str(curve) for _, _, _, curve in first.values()}) > 6  # what is compiled has the curve of what is not


def describe(told, record):
    failure = None if record.failure is None else record.failure.kind
    return record.stage, told.death, failure, [(epoch, value.hex()) for epoch, value in record.curve]
