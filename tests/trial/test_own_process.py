"""Each trial has a process of its own: nothing of it reaches the next one, and nothing of it outlives it."""

import ast
import os
import pickle
import signal
import socket
import tempfile
import time
import uuid
from pathlib import Path
from textwrap import dedent, indent

import pytest
from filelock import FileLock

from tests.events import by_epoch
from tests.processes import run_in_process
from tune.errors import StartError
from tune.experiment.records import read_record
from tune.paths import VersionPaths
from tune.trial.messages import TrialTask
from tune.trial.process.channel import TRAINING, trial_environment
from tune.trial.process.client import ForkedProcess, ForkSource, StartedProcess, prepare_template, process_server
from tune.trial.process.linux import is_alive
from tune.trial.process.server import IDLE_S
from tune.trial.process.watched import HangClock

PROGRAM = """
import os
import signal
import sys
import threading
from pathlib import Path

import pytorch_lightning as pl
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

SOUND = False
MAX_EPOCHS = 2


def at_import():
    pass


def in_training(module):
    pass


at_import()


class Net(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.net = nn.Sequential(nn.Linear(2, 4), nn.Tanh(), nn.Linear(4, 1))

    def training_step(self, batch, index):
        if self.current_epoch == 1 and index == 0 and not SOUND:
            in_training(self)
        return nn.functional.mse_loss(self.net(batch[0]), batch[1])

    def validation_step(self, batch, index):
        self.log("Loss/Val", nn.functional.mse_loss(self.net(batch[0]), batch[1]))

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.1)


def dataloaders():
    x = torch.linspace(-1, 1, 16).reshape(8, 2)
    data = TensorDataset(x, x.sum(1, keepdim=True))
    return DataLoader(data, batch_size=4, shuffle=True), DataLoader(data, batch_size=8)
"""
PERSISTENT = "batch_size=4, num_workers=1, persistent_workers=True, shuffle=True"
LAUNCHERS = {
    "RANK": "1",
    "SLURM_PROCID": "1",
    "WORLD_SIZE": "2",
    "OMPI_COMM_WORLD_RANK": "1",
    "MV2_COMM_WORLD_RANK": "1",
    "PMI_RANK": "1",
    "PET_NODE_RANK": "1",
    "JSM_NAMESPACE_RANK": "1",
    "FLUX_TASK_RANK": "1",
    "PALS_RANKID": "1",
}


def program(*, at_import="pass", in_training="pass", loader="batch_size=4, shuffle=True"):
    text = PROGRAM.replace("batch_size=4, shuffle=True", loader)
    for name, deed in (("at_import()", at_import), ("in_training(module)", in_training)):
        text = text.replace(f"def {name}:\n    pass\n", f"def {name}:\n{indent(deed.strip(), '    ')}\n")
    return text


@pytest.fixture
def start(worker):
    """Return what starts a worker of a program."""

    def started(text):
        return worker("program", text, metric="Loss/Val", mode="min")

    return started


@pytest.fixture(scope="module")
def other_server():
    """Run a process server of this module's own, as the driver does that a launcher gave rank 1."""
    with pytest.MonkeyPatch.context() as patch:
        for name, text in LAUNCHERS.items():
            patch.setenv(name, text)
        with tempfile.TemporaryDirectory(prefix="own-") as folder, process_server(Path(folder)) as path:
            patch.undo()
            yield path


@pytest.fixture
def prepared(start, other_server):
    """Return what starts a worker whose trials come from a template that has trained, and has imported packages."""

    def started(text):
        begun = start(text)
        begun.server = other_server
        file = other_server.with_name("job")
        if not file.exists():
            file.write_bytes(pickle.dumps(begun.job))
            packages = dict.fromkeys(("pandas", "sklearn"))
            prepare_template(other_server, file, packages, warm=True, wait_s=60)
        return begun

    return started


def run(begun, *, hang_after_s=None, environment=None, **values):
    """Run the next trial, which may die: return what its process said, its record, and its files."""
    number, begun.n_trials = begun.n_trials, begun.n_trials + 1
    files = VersionPaths(begun.storage / f"{number:03d}")
    task = TrialTask(number=number, version=str(files.folder), seed=0, values=values)
    told = run_in_process(begun.server, begun.job, task, hang_after_s=hang_after_s, environment=environment)
    return told, read_record(files), files


def wait_for(what):
    until = time.monotonic() + 60
    while not what():
        assert time.monotonic() < until
        time.sleep(0.01)


def said(log, word):
    """Return the values that a program printed behind a word."""
    return [ast.literal_eval(line.partition(word)[2]) for line in log.splitlines() if line.startswith(word)]


STATE = {  # how it is looked at, and how it is changed
    "torch: gradients": ("torch.is_grad_enabled()", "torch.set_grad_enabled(False)"),
    "torch: anomalies": ("torch.is_anomaly_enabled()", "torch.autograd.set_detect_anomaly(True)"),
    "torch: threads of gradients": (
        "torch.autograd.is_multithreading_enabled()",
        "torch.autograd.set_multithreading_enabled(False)",
    ),
    "torch: denormal numbers": (
        "torch.full((4,), 1e-39, dtype=torch.float, device='cpu').mul(0.5).any().item()",
        "torch.set_flush_denormal(True)",
    ),
    "torch: what is printed": ("torch._tensor_str.PRINT_OPTS.precision", "torch.set_printoptions(precision=2)"),
    "torch: the hub": ("torch.hub.get_dir()", "torch.hub.set_dir('elsewhere')"),
    "torch: distributions": (
        "torch.distributions.Distribution._validate_args",
        "torch.distributions.Distribution.set_default_validate_args(False)",
    ),
    "a method of a layer": ("nn.Linear.reset_parameters.__name__", "nn.Linear.reset_parameters = leaky"),
    "a function of torch.nn.init": ("nn.init.kaiming_uniform_.__name__", "nn.init.kaiming_uniform_ = leaky"),
    "a method of an optimizer": ("torch.optim.Adam.step.__name__", "torch.optim.Adam.step = leaky"),
    "an attribute of a layer": ("hasattr(nn.Linear, 'leak')", "nn.Linear.leak = 1"),
    "an attribute of tensors": ("hasattr(torch.Tensor, 'leak')", "torch.Tensor.leak = 1"),
    "an attribute of DataLoader": ("hasattr(DataLoader, 'leak')", "DataLoader.leak = 1"),
    "an attribute of LightningModule": ("hasattr(pl.LightningModule, 'leak')", "pl.LightningModule.leak = 1"),
    "hooks of all modules": (
        "len(nn.modules.module._global_forward_hooks)",
        "nn.modules.module.register_module_forward_hook(leaky)",
    ),
    "hooks of all optimizers": (
        "len(_global_optimizer_pre_hooks)",
        "register_optimizer_step_pre_hook(leaky)",
    ),
    "numpy: what is printed": ("numpy.get_printoptions()['precision']", "numpy.set_printoptions(precision=2)"),
    "numpy: errors": ("numpy.geterr()", "numpy.seterr(all='ignore')"),
    "numpy: random numbers": ("numpy.random.get_state()[1].tolist()[:9]", "numpy.random.seed(9)"),
    "pandas": ("pandas.get_option('display.max_rows')", "pandas.set_option('display.max_rows', 7)"),
    "sklearn": ("sklearn.get_config()['assume_finite']", "sklearn.set_config(assume_finite=True)"),
    "random numbers": ("random.getstate()[1][:9]", "random.seed(9)"),
    "the mask of new files": (
        "Path('/proc/self/status').read_text().partition('Umask:')[2].split()[0]",
        "os.umask(0o77)",
    ),
    "a limit": ("resource.getrlimit(resource.RLIMIT_NOFILE)", "resource.setrlimit(resource.RLIMIT_NOFILE, (999, 999))"),
    "niceness": ("os.nice(0)", "os.nice(1)"),
    "the working directory": ("os.getcwd()", "os.chdir('/')"),
    "the environment": ("'LEAK' in os.environ", "os.environ['LEAK'] = '1'"),
    "a signal's handler": ("signal.getsignal(signal.SIGUSR1).__repr__()", "signal.signal(signal.SIGUSR1, leaky)"),
    "blocked signals": (
        "len(signal.pthread_sigmask(signal.SIG_BLOCK, ()))",
        "signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGUSR2])",
    ),
    "a timer": ("signal.getitimer(signal.ITIMER_REAL) > (0, 0)", "signal.alarm(600)"),
    "threads": ("threading.active_count()", "threading.Thread(target=time.sleep, args=(600,), daemon=True).start()"),
    "child processes": ("len(mp.active_children())", "mp.Process(target=time.sleep, args=(600,), daemon=True).start()"),
    "the start method": ("mp.get_start_method(allow_none=True)", "mp.set_start_method('spawn', force=True)"),
    "open files": ("len(os.listdir('/proc/self/fd'))", "os.dup(0)"),
    "standard input": ("sys.stdin.closed", "sys.stdin.close()"),
    "the collector": ("gc.get_threshold()", "gc.set_threshold(5)"),
    "whether there is a collector": ("gc.isenabled()", "gc.disable()"),
    "the interval of switches": ("sys.getswitchinterval()", "sys.setswitchinterval(0.1)"),
    "the limit of recursion": ("sys.getrecursionlimit()", "sys.setrecursionlimit(5000)"),
    "builtins": ("hasattr(builtins, 'leak')", "builtins.leak = 1"),
    "json": ("json.JSONEncoder.default.__name__", "json.JSONEncoder.default = leaky"),
    "time": ("time.perf_counter.__name__", "time.perf_counter = time.monotonic"),
    "modules": ("'leak' in sys.modules", "sys.modules['leak'] = leakhelp"),
    "finders of modules": ("len(sys.meta_path)", "sys.meta_path.append(Finder())"),
    "the path of modules": ("'leak' in sys.path", "sys.path.append('leak')"),
    "arguments": ("sys.argv[1:]", "sys.argv.append('leak')"),
    "the hook of exceptions": ("sys.excepthook.__name__", "sys.excepthook = leaky"),
    "the hook of threads": ("threading.excepthook.__name__", "threading.excepthook = leaky"),
    "the hook of what cannot be raised": ("sys.unraisablehook.__name__", "sys.unraisablehook = leaky"),
    "the hook of what is shown": ("sys.displayhook.__name__", "sys.displayhook = leaky"),
    "a profiler": ("sys.getprofile() is None", "sys.setprofile(leaky)"),
    "a tracer": ("sys.gettrace() is None", "sys.settrace(leaky)"),
    "warnings": ("len(warnings.filters)", "warnings.filterwarnings('ignore', 'leak')"),
    "decimal": ("decimal.getcontext().prec", "decimal.getcontext().prec = 3"),
    "the locale": ("locale.setlocale(locale.LC_ALL)", "locale.setlocale(locale.LC_ALL, 'C')"),
    "handlers of logging": ("len(logging.root.handlers)", "logging.root.addHandler(logging.NullHandler())"),
    "the level of logging": ("logging.root.level", "logging.root.setLevel(5)"),
    "records of logging": ("logging.getLogRecordFactory().__name__", "logging.setLogRecordFactory(leaky)"),
    "what is not logged": ("logging.root.manager.disable", "logging.disable(logging.INFO)"),
    "sockets": ("socket.getdefaulttimeout()", "socket.setdefaulttimeout(77)"),
    "the program's own names": ("COUNT", "COUNT.append(1)"),
    "the program's own cache": ("cached.cache_info().currsize", "cached()"),
    "the program's own class": ("hasattr(Net, 'leak')", "Net.leak = 1"),
    "the program's other file": ("leakhelp.STATE", "leakhelp.STATE.append(1)"),
}

LEAK = """
import builtins, decimal, functools, gc, json, locale, logging, multiprocessing as mp, random, resource, socket, time
import warnings
import numpy
import pandas
import sklearn
import leakhelp
from torch.optim.optimizer import _global_optimizer_pre_hooks, register_optimizer_step_pre_hook

COUNT = []


class Finder:
    def find_spec(self, *_):
        return None


def leaky(*_, **__):
    return None


@functools.lru_cache
def cached():
    return 1


def look():
    return {name: repr(look()) for name, look in LOOKS.items()}
"""


def leaking():
    """Return a program that says what it finds as it is built, then trains, changes it all, and says it again."""
    looks = "".join(f"    {name!r}: lambda: ({look}),\n" for name, (look, _) in STATE.items())
    changes = "".join(f"    {change}\n" for _, change in STATE.values())
    built = "        super().__init__()\n"
    end = "    def on_fit_end(self):\n        change()\n        print('after', look())\n\n"
    optimizers = "    def configure_optimizers"
    text = program().replace(built, f"{built}        print('before', look())\n").replace(optimizers, end + optimizers)
    return f"{LEAK}\n\nLOOKS = {{\n{looks}}}\n\n\ndef change():\n{changes}\n\n{text}"


@pytest.mark.parametrize("server_of", ["start", "prepared"])
def test_nothing_of_a_trial_reaches_the_next(request, programs, server_of):
    programs("leakhelp", "STATE = []")
    begun = request.getfixturevalue(server_of)(leaking())

    trials = [begun.run() for _ in range(3)]

    assert [trial.failure for trial in trials] == [None] * 3
    befores, afters = ([said(trial.log, word)[0] for trial in trials] for word in ("before ", "after "))
    assert befores[1] == befores[0]
    assert befores[2] == befores[0]
    assert [name for name in STATE if afters[0][name] == befores[0][name]] == []  # each was changed, and was seen
    assert [trial.record.curve for trial in trials[1:]] == [trials[0].record.curve] * 2


ONCE = {
    "the start method": "import multiprocessing; multiprocessing.set_start_method('fork')",
    "the start method, of torch": "import torch.multiprocessing; torch.multiprocessing.set_start_method('fork')",
    "threads between operations": "torch.set_num_interop_threads(2); assert torch.get_num_interop_threads() == 2",
    "threads": "assert torch.get_num_threads() == 1; torch.set_num_threads(2)",
    "a signal's handler": """
        assert signal.getsignal(signal.SIGUSR1) == signal.SIG_IGN
        signal.signal(signal.SIGUSR1, lambda *_: print("heard"))
        os.kill(os.getpid(), signal.SIGUSR1)
        """,
    "alarms": """
        import time

        signals = []
        signal.signal(signal.SIGALRM, lambda number, frame: [signals.append(number), print("heard")])
        assert signal.setitimer(signal.ITIMER_REAL, 0.01) == (0, 0)
        while not signals:  # `signal.pause` would wait for ever for one that came before it
            time.sleep(0.01)
        assert signal.alarm(600) == 0
        """,
    "a loop of events": """
        import asyncio

        async def wait():
            asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, print)
            await asyncio.sleep(0.01)
            await (await asyncio.create_subprocess_exec("true")).wait()

        asyncio.run(wait())
        """,
    "limits": """
        import resource

        assert resource.getrlimit(resource.RLIMIT_NOFILE)[1] > 300
        resource.setrlimit(resource.RLIMIT_NOFILE, (300, 300))
        """,
    "a session": """
        try:
            os.setsid()
        except PermissionError:
            assert os.getsid(0) == os.getpid()
        """,
    "a codec": """
        import codecs

        try:
            "x".encode("mine")
        except LookupError:
            codecs.register(lambda name: codecs.lookup("ascii") if name == "mine" else None)
        else:
            raise AssertionError("it is there")
        """,
    "a number of copyreg": "import copyreg; copyreg.add_extension('mine', f'Net{os.getpid()}', 240)",
    "a hook of forks": """
        os.register_at_fork(before=lambda: print("heard"))
        if os.fork() == 0:
            os._exit(0)
        os.wait()
        """,
    "faulthandler": """
        import faulthandler

        faulthandler.enable(Path("faults").open("w"))
        faulthandler.register(signal.SIGUSR2)
        faulthandler.dump_traceback_later(600)
        """,
    "the limit of recursion": "assert sys.getrecursionlimit() == 1000; sys.setrecursionlimit(5000)",
    "the hook of threads": """
        assert threading.excepthook is threading.__excepthook__
        threading.excepthook = lambda args: print("heard")
        thread = threading.Thread(target=lambda: 1 / 0)
        thread.start()
        thread.join()
        """,
    "workers of a DataLoader": """
        import functools

        globals()["DataLoader"] = functools.partial(DataLoader, num_workers=2, persistent_workers=True)
        """,
    "a manager": """
        import multiprocessing

        names = multiprocessing.Manager().dict(x=1)
        assert dict(names) == {"x": 1}
        """,
    "a pool": """
        import multiprocessing

        pool = multiprocessing.Pool(2)
        assert pool.map(abs, [-1, -2]) == [1, 2]
        """,
    "logging": """
        import logging

        logging.basicConfig(stream=sys.stdout, level=logging.INFO, format="%(message)s")
        logging.info("heard")
        """,
    "flags": "from absl import flags; flags.DEFINE_string('mine', '', 'help')",
    "how tensors are shared": """
        assert torch.multiprocessing.get_sharing_strategy() == "file_descriptor"
        torch.multiprocessing.set_sharing_strategy("file_system")
        """,
    "an operator": """
        globals()["LIBRARY"] = torch.library.Library("mine", "DEF")
        LIBRARY.define("twice(Tensor x) -> Tensor")
        """,
    "a group of processes": """
        torch.distributed.init_process_group("gloo", store=torch.distributed.HashStore(), rank=0, world_size=1)
        """,
    "a server": """
        import socket

        globals()["SERVER"] = socket.create_server(("127.0.0.1", PORT), reuse_port=False)
        """,
}
HEARD = {"a signal's handler", "alarms", "a hook of forks", "the hook of threads", "logging"}


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as found:
        return found.getsockname()[1]


@pytest.mark.parametrize("name", ONCE)
def test_what_a_program_can_do_once_in_a_process_each_trial_can(prepared, name):
    deed = dedent(ONCE[name]).replace("PORT", str(free_port()))
    begun = prepared(program(at_import=f"{deed}\nprint('done')"))

    for preflight in (True, False):
        trial = begun.run(preflight=preflight)

        assert trial.failure is None
        assert (trial.record.stage, trial.preflights) == ("complete", int(preflight))
        assert trial.log.count("done\n") == 1 + preflight
        assert trial.log.count("heard\n") == (1 + preflight) * (name in HEARD)


ENDING = """
    import atexit

    def last_words(text):
        print(text)

    def broken():
        raise ValueError("broken at the end")

    def linger():
        threading.main_thread().join()
        print("a thread")

    for each in (last_words, broken, last_words):
        atexit.register(each, *(["heard"] if each is last_words else []))
    atexit.register(print, "never")
    atexit.unregister(print)
    threading.Thread(target=linger).start()
    """


def test_a_trial_ends_as_any_program_does(prepared):
    begun = prepared(program(at_import=dedent(ENDING)))

    for preflight in (True, False):
        trial = begun.run(preflight=preflight)

        assert trial.failure is None
        words = [line for line in trial.log.splitlines() if line in ("heard", "a thread", "never")]
        assert words[-3:] == ["a thread", "heard", "heard"]
        assert len(words) == (5 if preflight else 3)  # the pre-flight waits for no thread
        assert trial.log.count("ValueError: broken at the end") == 1 + preflight


def parent_of(pid):
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])


def server_of(process):
    server = process.pid
    while parent_of(server) != os.getpid():
        server = parent_of(server)
    return server


@pytest.mark.slow
def test_a_server_that_was_stopped_for_longer_than_it_waits_for_clients_ends_no_trial(tmp_path):
    with process_server(tmp_path) as path:
        trial = ForkedProcess(path)
        server = server_of(trial)
        os.kill(server, signal.SIGSTOP)
        time.sleep(IDLE_S + 1)
        os.kill(server, signal.SIGCONT)
        time.sleep(1)
        try:
            assert trial.poll() is None
            assert is_alive(server)
        finally:
            trial.close()


def test_hang_clock_when_its_own_process_was_stopped_then_that_is_no_silence(monkeypatch):
    now = 0.0
    monkeypatch.setattr("time.monotonic", lambda: now)
    clock = HangClock(60.0)
    clock.record_message(TRAINING, ())
    now = 1000.0
    clock.exclude_time(990.0)
    assert clock.describe_hang() is None
    now = 1060.0
    assert clock.describe_hang() == "no batch ended for 70 s"


def test_the_end_of_each_trial_is_told_though_their_template_ends_meanwhile(other_server):
    trials = [ForkedProcess(other_server) for _ in range(2)]
    template, server = parent_of(trials[0].pid), server_of(trials[0])
    assert template != server
    os.kill(server, signal.SIGSTOP)
    try:
        for trial in trials:
            os.kill(trial.pid, signal.SIGKILL)
        wait_for(lambda: not any(Path(f"/proc/{trial.pid}").exists() for trial in trials))
        time.sleep(0.05)  # the template has told the server, which has not read it
        os.kill(template, signal.SIGKILL)
        wait_for(lambda: not is_alive(template))
        time.sleep(0.05)  # nor what the template's parent told it
    finally:
        os.kill(server, signal.SIGCONT)

    try:
        wait_for(lambda: all(trial.poll() is not None for trial in trials))
        assert [trial.poll() for trial in trials] == [-signal.SIGKILL] * 2
    finally:
        for trial in trials:
            trial.close()


ENDED_BY_ITSELF = "the trial's end could not be written down: TypeError: 'NoneType' object is not callable"
BROKEN = {  # what it does in its second epoch; how its process died; what its record says
    "os._exit": ("os._exit(3)", "the program called os._exit(3)", None),
    "os._exit as if well": ("os._exit(0)", "the program called os._exit(0)", None),
    "os._exit with our status": ("os._exit(70)", "the program called os._exit(70)", None),
    "os._exit as if cut off": ("os._exit(71)", "the program called os._exit(71)", None),
    "SIGSEGV": ("import ctypes; ctypes.string_at(0)", "Segmentation fault", None),
    "SIGABRT": ("os.abort()", "Aborted", None),
    "SIGKILL": ("os.kill(os.getpid(), signal.SIGKILL)", "killed by SIGKILL", None),
    "SIGKILL of its group": ("os.killpg(0, signal.SIGKILL)", "killed by SIGKILL", None),
    "SIGTERM": ("os.kill(os.getpid(), signal.SIGTERM)", "killed by SIGTERM", None),
    "SIGTERM ignored": ("signal.signal(signal.SIGTERM, signal.SIG_IGN)", None, None),
    "closed descriptors": ("os.closerange(3, 200)", "the program closed its connection to the search", None),
    "closed output": ("sys.stdout.close(); sys.stderr.close(); os.close(1); os.close(2)", None, "ValueError"),
    "threads": (
        """
        import time

        for _ in range(200):
            threading.Thread(target=time.sleep, args=(0.2,)).start()
            threading.Thread(target=time.sleep, args=(600,), daemon=True).start()
        """,
        None,
        None,
    ),
    "torch.save": ("torch.save = None", None, "TypeError"),
    "open": ("import builtins; builtins.open = None", None, "TypeError"),
    "json.dumps": ("import json; json.dumps = None", ENDED_BY_ITSELF, None),
    "os.replace": ("os.replace = None", ENDED_BY_ITSELF, None),
    "Path.write_text": ("Path.write_text = None", ENDED_BY_ITSELF, None),
    "time": ("import time; time.time = time.monotonic = lambda: 0.0", None, "ValueError"),  # no file of 1970 in a ZIP
    "nn.Module": ("nn.Module.__call__ = None", None, "TypeError"),
    "the size of files": (
        "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))",
        None,
        "OSError",
    ),
    "the number of files": (
        "import resource; resource.setrlimit(resource.RLIMIT_NOFILE, (3, 3))",
        "the trial's end could not be written down: OSError: [Errno 24] Too many open files: '{}/error.txt'",
        None,
    ),
    "little recursion": ("import inspect; sys.setrecursionlimit(len(inspect.stack()) + 10)", None, "RecursionError"),
    "sys.exit": ("sys.exit(0)", None, "SystemExit"),
    "KeyboardInterrupt": ("raise KeyboardInterrupt", None, "KeyboardInterrupt"),
    "GeneratorExit": ("raise GeneratorExit", None, "GeneratorExit"),
    "os.setsid": ("os.setsid()", None, "PermissionError"),  # it has a session of its own
    "a fork": ("os.fork()", None, None),
    "os.umask": ("os.umask(0o777)", None, None if os.geteuid() == 0 else "PermissionError"),
    "the environment": ("os.environ.clear()", None, None),
    "no working directory": ("os.mkdir('gone'); os.chdir('gone'); os.rmdir('../gone')", None, None),
    "the default device": ("torch.set_default_device('meta')", None, "RuntimeError"),
    "SIGKILL of its parent": ("os.kill(os.getppid(), signal.SIGKILL)", None, None),
    "SIGSTOP": ("os.kill(os.getpid(), signal.SIGSTOP)", "Aborted", "hang"),
}


@pytest.fixture(scope="module")
def curves():
    """Hold the curves of all trials that nothing was wrong with."""
    return set()


@pytest.mark.parametrize(("deed", "death", "kind"), BROKEN.values(), ids=BROKEN)
def test_a_trial_that_breaks_its_process_breaks_no_other(prepared, curves, deed, death, kind):
    begun = prepared(program(in_training=dedent(deed)))
    told, record, files = run(begun, hang_after_s=2 if kind == "hang" else None)
    for path in (files.folder, *files.folder.rglob("*")):
        path.chmod(0o755)

    assert (told.death, record.failure and record.failure.kind) == (death and death.format(files.folder), kind)
    assert record.stage == ("failed" if kind else "running" if death else "complete")
    told, record, _ = run(begun, SOUND=True)
    assert (told.death, record.failure, record.stage) == (None, None, "complete")
    curves.add(tuple(record.curve))
    assert len(curves) == 1


WRITES = """
for each in os.listdir("/proc/self/fd"):
    if os.path.exists(f"/proc/self/fd/{each}") and os.readlink(f"/proc/self/fd/{each}").startswith("socket"):
        os.write(int(each), %s)
"""


FORGED = {  # what a program writes that a pickle can be read of, and is no message
    "done alone": ("done",),
    "done with no epochs": ("done", None, (0.0, 0.0)),
    "done with half an epoch": ("done", [(1,)], (0.0, 0.0)),
    "done with words for times": ("done", [], ("a", "b")),
    "epochs of one number": ("epochs", [1]),
    "an epoch of a word": ("epochs", [("one", "half")]),
    "ready with nothing": ("ready",),
    "no room for a number": ("no room", 3),
    "a death of no words": ("died", None),
    "another word": ("hello",),
    "no words": (),
    "no tuple": 5,
}


def frame(message):
    """Return a message's bytes as a Connection writes them, in the words of a program."""
    data = pickle.dumps(message)
    return repr(len(data).to_bytes(4, "big") + data)


@pytest.mark.parametrize(
    ("written", "death"),
    [
        ("b'no message'", "the program wrote into its connection to the search"),
        ("(10**6).to_bytes(4, 'big')", "it stopped within a message to the search"),
        *((frame(each), "the program wrote into its connection to the search") for each in FORGED.values()),
    ],
    ids=["nonsense", "a part", *FORGED],
)
def test_a_trial_that_writes_into_its_connection_is_ended_with_that_as_its_reason(
    prepared, monkeypatch, written, death
):
    monkeypatch.setattr("tune.trial.process.watched.READ_S", 1.0)
    told, record, _ = run(prepared(program(in_training=WRITES % written)))

    assert told.death == death
    assert record.stage == "running"


def test_a_server_that_somebody_else_starts_and_does_not_finish_is_not_waited_for_without_end(tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.setattr("tune.trial.process.client.START_S", 0.1)
    source = ForkSource(None, "here")
    folder = tmp_path / f"promotune.node-{os.getuid()}-here"
    folder.mkdir(mode=0o700)
    with FileLock(folder / ".lock"), pytest.raises(StartError) as error:
        source.take_process(lambda folder: (folder, {}))

    assert error.value.what == f"no process for a trial: another process has started the server in {folder} for 0 s"


def test_a_trial_that_cannot_begin_says_why(prepared):
    begun = prepared(program())
    log = VersionPaths(begun.storage / "000").log
    log.mkdir(parents=True)
    told, record, _ = run(begun)

    assert told.death.endswith(f"IsADirectoryError: [Errno 21] Is a directory: '{log}'")
    assert record is None


CHILDREN = {  # what starts them, and leaves their numbers in `pids`
    "a manager": """
        import multiprocessing

        globals()["MANAGER"] = multiprocessing.Manager()
        pids = [MANAGER._process.pid]
        """,
    "a daemon": """
        reads, writes = os.pipe()
        if os.fork() == 0:
            os.setsid()
            if (pid := os.fork()) == 0:
                signal.pause()
            os.write(writes, str(pid).encode())
            os._exit(0)
        pids = [int(os.read(reads, 99))]
        os.wait()
        """,
    "a command": """
        import subprocess

        pids = [subprocess.Popen(["sleep", "600"], start_new_session=True).pid]
        """,
    "workers of a DataLoader": """
        import multiprocessing

        pids = [each.pid for each in multiprocessing.active_children()]
        """,
    "shared memory": """
        from multiprocessing import resource_tracker, shared_memory

        globals()["MEMORY"] = shared_memory.SharedMemory(NAME, create=True, size=8)
        pids = [resource_tracker._resource_tracker._pid]
        """,
}
ENDS = {
    "complete": ("pass", None),
    "an exception": ("raise ValueError", None),
    "os._exit": ("os._exit(3)", "the program called os._exit(3)"),
    "SIGKILL": ("os.kill(os.getpid(), signal.SIGKILL)", "killed by SIGKILL"),
}


@pytest.mark.parametrize("end", ENDS)
@pytest.mark.parametrize("children", CHILDREN)
def test_children_that_outlive_their_trial_are_ended(prepared, children, end):
    name = f"own-{uuid.uuid4().hex}"
    ending, death = ENDS[end]
    noted = "(Path(module.trainer.log_dir) / 'children').write_text(' '.join(map(str, pids)))"
    deed = dedent(CHILDREN[children]).replace("NAME", repr(name))
    text = program(
        in_training=f"{deed}\n{noted}\n{ending}", **({"loader": PERSISTENT} if "workers" in children else {})
    )

    told, _, files = run(prepared(text))

    assert told.death == death
    pids = [int(pid) for pid in (files.folder / "children").read_text().split()]
    assert len(pids) == 1
    wait_for(lambda: not any(map(is_alive, pids)))
    assert not Path("/dev/shm", name).exists()


BEGUN = """
    import multiprocessing
    import tempfile

    def link(descriptor):
        try:
            return os.readlink(f"/proc/self/fd/{descriptor}")
        except OSError:  # of the list itself
            return None

    links = {descriptor: link(descriptor) for descriptor in map(int, os.listdir("/proc/self/fd"))}
    print("begun", dict(
        links={descriptor: link for descriptor, link in links.items() if link is not None},
        pid=os.getpid(),
        session=os.getsid(0),
        group=os.getpgrp(),
        thread=threading.current_thread() is threading.main_thread(),
        temporary=tempfile.mkdtemp(),
        environment=dict(os.environ),
        packages="sklearn" in sys.modules,
        compilers=torch._inductor.config.compile_threads,
        title=open("/proc/self/cmdline").read().rstrip("\\0 "),
        process=(multiprocessing.current_process().name, multiprocessing.parent_process()),
    ))
    """


def test_a_trial_of_a_driver_that_a_launcher_gave_rank_1_writes_its_events_and_hyperparameters(prepared):
    told, record, files = run(prepared(program()))

    assert (told.death, record.stage) == (None, "complete")
    assert by_epoch(files.folder)["Loss/Val"].keys() == {1, 2}
    assert (files.folder / "hparams.yaml").is_file()


def test_a_trial_is_on_one_node_whatever_the_environment_says_of_a_trainer(start):
    environment = {**os.environ, "PL_TRAINER_NUM_NODES": "2", "PL_TRAINER_DEVICES": "2"}
    told, record, _ = run(start(program()), environment=environment, hang_after_s=20)

    assert (told.death, record.stage) == (None, "complete")


def test_a_process_that_is_started_ahead_has_no_variables_of_a_launcher(monkeypatch):
    for name, text in LAUNCHERS.items():
        monkeypatch.setenv(name, text)
    process = StartedProcess()
    environment = Path(f"/proc/{process.pid}/environ")
    try:
        wait_for(lambda: b"PATH=" in environment.read_bytes())  # it is empty for a moment
        names = {entry.partition(b"=")[0].decode() for entry in environment.read_bytes().split(b"\0")}
        assert LAUNCHERS.keys() & names == set()
    finally:
        process.close()


SHARING = """
torch.multiprocessing.set_sharing_strategy("file_system")
module.shared = torch.zeros(1000).share_memory_()
print("shared", module.shared.untyped_storage()._share_filename_cpu_()[1])
"""


@pytest.mark.skipif(not Path("/dev/shm").is_dir(), reason="shared memory is no folder here")
@pytest.mark.parametrize("end", ["os._exit(4)", "pass"])
def test_memory_that_a_trial_shared_by_files_is_given_back_however_it_ends(prepared, end):
    _, _, files = run(prepared(program(in_training=SHARING + end)))

    (name,) = said(files.log.read_text(), "shared ")
    wait_for(lambda: not Path(f"/dev/shm{name.decode()}").exists())


HITS = """
from lightning_fabric.utilities import registry
from tune.internals.private_apis import check_private_apis

print("hits", [each.cache_info().hits for each in (registry.entry_points, check_private_apis)])
"""


def test_what_the_template_has_read_of_installed_packages_no_trial_reads_again(prepared):
    _, _, files = run(prepared(program(in_training=HITS)))

    assert said(files.log.read_text(), "hits ") == [[1, 4]]


JOBLIB = """
import joblib

joblib.Parallel(2)(joblib.delayed(abs)(each) for each in range(4))
print("shared", [each.name for each in Path("/dev/shm").glob(f"*{os.getpid()}[-_]*")])
"""


@pytest.mark.skipif(not Path("/dev/shm").is_dir(), reason="shared memory is no folder here")
@pytest.mark.parametrize("end", ["os._exit(4)", "pass"])
def test_what_workers_of_joblib_share_is_removed_however_their_trial_ends(prepared, end):
    _, _, files = run(prepared(program(in_training=JOBLIB + end)))

    (names,) = said(files.log.read_text(), "shared ")
    assert any("loky" in name for name in names)
    wait_for(lambda: not any(Path("/dev/shm", name).exists() for name in names))


@pytest.mark.parametrize(("sees_gpus", "visible"), [(True, "0,1"), (False, "")])
def test_a_trial_sees_the_gpus_of_its_actor_where_it_has_one(sees_gpus, visible):
    own = trial_environment({"CUDA_VISIBLE_DEVICES": "0,1"}, 3, sees_gpus=sees_gpus)

    threads = {"OMP_NUM_THREADS": "3", "TORCHINDUCTOR_COMPILE_THREADS": "3"}
    assert own == {"CUDA_VISIBLE_DEVICES": visible, "CUDA_DEVICE_ORDER": "PCI_BUS_ID", **threads}


@pytest.mark.parametrize(
    ("of_actor", "own"), [("ray.util.rpdb.set_trace", None), ("0", "0"), ("ipdb.set_trace", "ipdb.set_trace")]
)
def test_a_trial_has_no_debugger_of_ray_s(of_actor, own):
    variables = trial_environment({"PYTHONBREAKPOINT": of_actor}, 1, sees_gpus=True)

    assert variables.get("PYTHONBREAKPOINT") == own


@pytest.mark.parametrize("server_of", ["start", "prepared"])
@pytest.mark.parametrize("end", ["complete", "SIGKILL"])
def test_a_trial_begins_as_a_process_of_its_own(request, server_of, end):
    in_training = f"print('thread', threading.current_thread() is threading.main_thread())\n{ENDS[end][0]}"
    begun = request.getfixturevalue(server_of)(program(at_import=dedent(BEGUN), in_training=in_training))
    environment = {**os.environ, **LAUNCHERS, "MINE": "1"}
    told, record, files = run(begun, environment=environment)

    assert told.death == ENDS[end][1]
    found = said(files.log.read_text(), "begun ")[0]
    links = found["links"]
    assert [links.pop(each) for each in range(3)] == [os.devnull, str(files.log), str(files.log)]
    assert [link.partition(":")[0] for link in links.values()] == ["socket"]
    assert found["session"] == found["group"] == found["pid"] == record.pid != os.getpid()
    assert found["process"] == ("MainProcess", None)
    assert found["thread"] is True
    assert said(files.log.read_text(), "thread ") == [True]
    assert found["title"] == "promotune: 000"
    assert found["packages"] or server_of == "start"  # which other tests may have prepared
    assert found["environment"]["MINE"] == "1"
    assert found["compilers"] == 1  # as many as the trial has threads
    assert found["environment"]["CUDA_DEVICE_ORDER"] == "PCI_BUS_ID"
    assert found["environment"]["PYTORCH_NVML_BASED_CUDA_CHECK"] == "1"  # Lightning sets it as it is imported
    assert LAUNCHERS.keys() & found["environment"].keys() == set()
    temporary = Path(found["environment"]["TMPDIR"])
    assert Path(found["temporary"]).parent == temporary
    assert not temporary.exists()
