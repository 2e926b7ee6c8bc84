"""The checks: each runs something on the GPU, and says whether all was as it should be, with the figures."""

import contextlib
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from benchmarks.gpu_day.probes import CONTEXT, FORK
from benchmarks.gpu_day.searches import ROOT, Bench
from tune.experiment.gpu_records import CONTEXT_BYTES

MIB = 2**20
ON_GRID = "sampler: grid\nscheduler: none\nconcurrency: 1\n"
"""Each trial of a grid, one after the other."""


TAKING = """
    def take_memory(self, idx):
        if self.current_epoch or idx or not self.is_trial:
            return
        if CUDA:
            n_bytes = int(GREED * torch.cuda.get_device_properties(0).total_memory)
            self.held = torch.empty(n_bytes, dtype=torch.uint8, device=self.device)
        elif GREED > json.loads(Path(self.logger.log_dir, "trial.json").read_text())["gpu_share"]:
            raise torch.OutOfMemoryError("CUDA out of memory, as a rehearsal has it")
"""
"""A method of a system that takes part of the GPU once, and keeps it."""


@dataclass(frozen=True)
class Verdict:
    """What a check found."""

    passed: bool
    told: str


def check_context(bench: Bench) -> Verdict:
    """See what CUDA keeps in each process."""
    found = bench.run_python(CONTEXT)
    kept = found.get("with_cublas_mib")
    passed = kept is not None and kept * MIB < CONTEXT_BYTES
    return Verdict(passed, f"{found} (expected: below {CONTEXT_BYTES / MIB:.0f} MiB)")


def check_fork(bench: Bench) -> Verdict:
    """See whether what the template imports can be forked and then use CUDA."""
    found = bench.run_python(FORK.replace('"cuda"', '"cpu"') if bench.is_rehearsal else FORK)
    lines = [line for number in (1, 8) for line in found.get(f"{number} forked", ["nothing"])]
    passed = all(line.endswith("False True") for line in lines)
    return Verdict(passed, f"{found} (seconds, in a bad fork, right)")


def check_faults(bench: Bench) -> Verdict:
    """Let trials run out of memory, and fail an assertion on the GPU: all others complete, and the place is named."""
    step = """
        if FAULT == "oom" and self.is_trial:
            torch.zeros(2**44, device=self.device)
        if FAULT == "assert" and self.is_trial:
            torch.zeros(2, device=self.device)[torch.tensor([5], device=self.device)].cpu()"""
    constants = "constants: {FAULT: {choice: [none, oom, assert]}, N: {choice: [0, 1, 2, 3]}}\n"
    settings = f"{constants}trials: 12\n{ON_GRID}give_up_after: 99\n"
    found = bench.search("faults", settings, timeout_s=200, head='FAULT = "none"', step=step)
    fault = {each["number"]: each["constants"].get("FAULT", "none") for each in found.records}
    wrong = [
        f"{each['version']} {each['stage']}"
        for each in found.records
        if (fault[each["number"]] == "none") != (each["stage"] == "complete")
    ]
    places = {(each["failure"] or {}).get("place") for each in found.records if fault[each["number"]] == "assert"}
    passed = len(found.records) == 12 and not wrong and None not in places
    return Verdict(passed, f"{len(found.records)} trials; wrong: {wrong}; place of an assertion: {places}")


def check_stopped(bench: Bench) -> Verdict:
    """Let stopped trials break the GPU behind their training: the next one trains all the same."""
    more = """
    def on_train_end(self):
        if self.trainer.should_stop and self.is_trial and CUDA:
            torch.zeros(2, device=self.device)[torch.tensor([5], device=self.device)].cpu()
"""
    settings = (
        "constants: {N: {choice: [0, 1, 2, 3, 4, 5]}}\ntrials: 6\nsampler: grid\nscheduler: median\n"
        "scheduler_args: {min_samples_required: 1}\nconcurrency: 1\ngive_up_after: 99\ntrainer: {max_epochs: 4}\n"
    )
    validation = "self.log('Loss/Val', torch.tensor(float(N)))"
    found = bench.search("stopped", settings, validation=validation, more=more)
    empty = [each["version"] for each in found.records if not each["curve"]]
    return Verdict(len(found.records) == 6 and not empty, f"{len(found.records)} trials; without an epoch: {empty}")


def check_compile(bench: Bench) -> Verdict:
    """Compile with CUDA graphs: each trial is compiled, and begins on an empty GPU."""
    more = """
    def on_fit_start(self):
        if self.is_trial:
            print("MIB", torch.cuda.memory_allocated() / 2**20 if CUDA else 0.0, flush=True)
            self.before = torch._dynamo.utils.counters["stats"]["unique_graphs"]

    def on_fit_end(self):
        if self.is_trial:
            print("GRAPHS", torch._dynamo.utils.counters["stats"]["unique_graphs"] - self.before, flush=True)
"""
    how = "backend='eager'" if bench.is_rehearsal else "mode='reduce-overhead'"
    layers = "nn.Linear(8, 512 + 8 * N), nn.ReLU(), nn.Linear(512 + 8 * N, 1)"
    found = bench.search(
        "compiled",
        f"constants: {{N: {{choice: [0, 1, 2]}}}}\ntrials: 3\n{ON_GRID}",
        timeout_s=240,
        init=f"self.net = torch.compile(nn.Sequential({layers}), {how})",
        more=more,
    )
    graphs, mib = found.read_numbers("GRAPHS"), found.read_numbers("MIB")
    held = [each for numbers in mib.values() for each in numbers]
    passed = len(graphs) == 3 and all(each and each[0] > 0 for each in graphs.values()) and max(held) - min(held) < 8
    return Verdict(passed, f"graphs by trial: {graphs}; MiB as each began: {mib}")


def check_tf32(bench: Bench) -> Verdict:
    """Ask for TF32 in the program: every trial of a worker has it, not the first alone."""
    more = """
    def on_fit_start(self):
        if CUDA and self.is_trial:
            x = torch.randn(8192, 8192, device="cuda")
            x @ x
            torch.cuda.synchronize()
            began = time.perf_counter()
            for _ in range(10):
                x @ x
            torch.cuda.synchronize()
            print("TFLOPS", 10 * 2 * 8192**3 / (time.perf_counter() - began) / 1e12, flush=True)
        print("PRECISION", float(torch._C._get_fp32_precision_getter("cuda", "matmul") == "tf32"), flush=True)
"""
    found = bench.search(
        "tf32",
        f"constants: {{N: {{choice: [0, 1, 2]}}}}\ntrials: 3\n{ON_GRID}",
        head='torch.backends.fp32_precision = "tf32"',
        more=more,
    )
    held = [each for numbers in found.read_numbers("PRECISION").values() for each in numbers]
    told = f"in force: {held}; TFLOP/s by trial: {found.read_numbers('TFLOPS')}"
    return Verdict(len(held) >= 3 and min(held) == 1, told)


def check_rng(bench: Bench) -> Verdict:
    """Drop out on the GPU: the same curve first, later, and behind a kill in the middle."""
    more = """
    def on_train_epoch_start(self):
        if N == 2 and self.current_epoch == 2 and self.is_trial and not os.path.exists("killed"):
            open("killed", "w").close()
            os.kill(os.getpid(), 9)
"""
    found = bench.search(
        "rng",
        f"constants: {{N: {{choice: [0, 1, 2, 3]}}}}\ntrials: 4\n{ON_GRID}trainer: {{max_epochs: 4}}\n",
        init="self.net = nn.Sequential(nn.Linear(8, 64), nn.Dropout(0.5), nn.Linear(64, 1))",
        more=more,
    )
    curves = {each["constants"].get("N", 0): [value for _, value in each["curve"]] for each in found.records}
    passed = len(curves) == 4 and len({str(each) for each in curves.values()}) == 1
    return Verdict(passed, f"{curves}")


def check_share(bench: Bench) -> Verdict:
    """Let four share the GPU: one that wants more than there is fails alone, and was tried on a larger share."""
    constants = "constants: {GREED: {choice: [0.05, 0.4, 0.6]}, N: {choice: [0, 1, 2, 3]}}\n"
    settings = f"{constants}trials: 12\nsampler: grid\nscheduler: none\ngpus_per_trial: 0.25\ncpus_per_trial: 1\n"
    parts = {"head": "GREED = 0.05", "step": "self.take_memory(idx); time.sleep(0.2)", "more": TAKING}
    words = ["--trainer.accelerator", "auto"] if bench.is_rehearsal else []  # with `cpu` a trial has no share
    found = bench.search("share", f"{settings}give_up_after: 99\n", words, timeout_s=200, **parts)
    fates = [
        (
            each["constants"].get("GREED", 0.05),
            each["stage"],
            each.get("gpu_share"),
            (each["failure"] or {}).get("kind"),
        )
        for each in found.records
    ]
    wanted = {0.05: ("complete", 0.25, None), 0.4: ("complete", 0.5, None), 0.6: ("failed", 0.5, "OutOfMemoryError")}
    passed = len(fates) == 12 and all(wanted[greed] == tuple(fate) for greed, *fate in fates)
    return Verdict(passed, f"{sorted(map(str, fates))} (wanted: {wanted})")


def check_packed(bench: Bench) -> Verdict:
    """Let small trials share the GPU though nobody says so; what they used is in their records."""
    settings = "constants: {N: {choice: [0, 1, 2, 3, 4, 5, 6, 7]}}\ntrials: 8\nsampler: grid\nscheduler: none\n"
    found = bench.search("packed", f"{settings}trainer: {{max_epochs: 100}}\n", step="time.sleep(0.01)", timeout_s=200)
    lines = [line for line in found.output.splitlines() if line.startswith("gpus_per_trial: ")]
    shares = {each.get("gpu_share", 0.0) for each in found.records}
    usage = [each.get("gpu") or {} for each in found.records]
    is_known = all(each.get("peak_bytes") and each.get("utilization") is not None for each in usage)
    passed = len(found.records) == 8 and max(shares) < 1 and is_known
    return Verdict(passed, f"{lines}; shares {shares}; used: {usage[:2]}")


def check_after(bench: Bench) -> Verdict:
    """See the GPU's memory given back: at the end of a search, and when its driver is killed."""
    before, out = _used_bytes(), {}
    settings = (
        "constants: {N: {choice: [0, 1, 2]}}\ntrials: 3\nsampler: grid\nscheduler: none\ntrainer: {max_epochs: 8}\n"
    )
    for how in ("ends", "is killed"):
        name = f"after_{how[-1]}"
        command = bench.write_program(name, settings, ["-q"], {"step": "time.sleep(0.1)"})
        process = subprocess.Popen(
            command,
            cwd=bench.folder / name,
            env=bench.environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        until = time.monotonic() + bench.limit_time(90)
        while _used_bytes() - before < 200 * MIB and time.monotonic() < until and process.poll() is None:
            time.sleep(0.2)
        try:
            if how == "ends":
                process.wait(bench.limit_time(120))
        finally:
            process.kill()
            process.wait()
        gone = time.monotonic()
        while _used_bytes() - before > 50 * MIB and time.monotonic() - gone < 30:
            time.sleep(0.2)
        out[how] = round(time.monotonic() - gone, 1)
    return Verdict(max(out.values()) < 15, f"seconds until the memory was back where the driver {out}")


def check_start(bench: Bench) -> Verdict:
    """Search the README's example by default and on the cores: the GPU is not much slower to start, nor in all."""
    on_gpu = ["--trainer.accelerator", "cpu", "--gpu", "0"] if bench.is_rehearsal else []
    few = ["--trials", "3", "--trainer.max_epochs", "2"] if bench.is_rehearsal else []
    out = {}
    for how, words in {"gpu": on_gpu, "cores": ["--trainer.accelerator", "cpu"]}.items():
        storage, began = bench.folder / how, time.time()
        command = [sys.executable, "run_search.py", "--space", "lr_bs.yaml", "--storage", str(storage), "--no-report"]
        subprocess.run(
            [*command, "-q", *words, *few],
            cwd=ROOT,
            env=bench.environment,
            capture_output=True,
            timeout=bench.limit_time(300),
            check=False,
        )
        with contextlib.suppress(ValueError):
            out[how] = (round(first_epoch_at(storage) - began, 1), round(time.time() - began, 1))
    passed = len(out) == 2 and out["gpu"][0] <= out["cores"][0] + 10 and out["gpu"][1] <= 2 * out["cores"][1]
    return Verdict(passed, f"{out} (s to the first epoch, and in all; expected: at most 10 s later, and twice as long)")


def check_sharing(bench: Bench) -> Verdict:
    """Run the benchmark of trials that share a GPU."""
    many = ["--at-a-time", "1", "8", "--trials", "16", "--epochs", "5"]
    words = ["--at-a-time", "1", "2", "--trials", "4", "--epochs", "1"] if bench.is_rehearsal else many
    ran = subprocess.run(
        [sys.executable, "-m", "benchmarks.sharing", "--spaces", "lr_bs", "--repeats", "1", *words],
        cwd=ROOT,
        env=bench.environment,
        capture_output=True,
        text=True,
        timeout=bench.limit_time(300),
        check=False,
    )
    lines = ran.stdout.strip().splitlines() or [ran.stderr[-300:]]
    gain = float(lines[-1].split()[-1]) if ran.returncode == 0 else 0.0
    return Verdict(gain > (0 if bench.is_rehearsal else 1.5), " | ".join(" ".join(line.split()) for line in lines[-2:]))


CHECKS: dict[str, Callable[[Bench], Verdict]] = {
    "context": check_context,
    "fork": check_fork,
    "faults": check_faults,
    "stopped": check_stopped,
    "compile": check_compile,
    "tf32": check_tf32,
    "rng": check_rng,
    "share": check_share,
    "packed": check_packed,
    "after": check_after,
    "start": check_start,
    "sharing": check_sharing,
}
NEED_A_GPU = ("context", "packed", "after")
"""The checks that say nothing on the CPU; the others are rehearsed there."""


def _used_bytes() -> int:
    """Return what is given out on GPU 0, as NVML says."""
    import pynvml

    pynvml.nvmlInit()
    try:
        return int(pynvml.nvmlDeviceGetMemoryInfo(pynvml.nvmlDeviceGetHandleByIndex(0)).used)
    finally:
        pynvml.nvmlShutdown()


def first_epoch_at(storage: Path) -> float:
    """Return when the first epoch of a search was logged, in seconds since the epoch; ValueError where none was."""
    from tensorboard.backend.event_processing.event_file_loader import EventFileLoader

    files = storage.glob("lr_bs/[0-9]*/events.out.tfevents.*")
    return min(
        float(event.wall_time)
        for file in files
        for event in EventFileLoader(str(file)).Load()
        if any(value.tag == "Accuracy/Val" for value in event.summary.value)
    )
