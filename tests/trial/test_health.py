"""A worker whose GPU no longer answers is replaced; one that was merely short of its memory is not."""

import subprocess
import sys

import pytest
import torch

from tune.trial.health import took_host_memory

SHORT = {
    "MemoryError": (MemoryError(), True),
    "torch": (RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried to allocate 4"), True),
    "the GPU's": (torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 4 GiB"), False),
    "another": (RuntimeError("no"), False),
}


@pytest.mark.parametrize(("error", "short"), SHORT.values(), ids=SHORT)
def test_the_hosts_memory_is_told_from_the_gpus(error, short):
    outer = ValueError("while it was torn down")
    outer.__context__ = error

    assert took_host_memory(error) is short
    assert took_host_memory(outer) is short


ON_GPU = """
import sys, torch
from tune.trial.health import allocated_bytes, gpu_is_sound
torch.zeros(1, device="cuda")
held = allocated_bytes()
kept = []
try:
    if sys.argv[1] == "short of memory":
        kept = [torch.zeros(2**50, device="cuda")]
    if sys.argv[1] == "keeps memory":
        kept = [torch.zeros(2**20, device="cuda")]
        raise RuntimeError
    if sys.argv[1] == "asserts":
        torch.zeros(2, device="cuda")[torch.tensor([5], device="cuda")].cpu()
except RuntimeError:
    pass
print(gpu_is_sound(held))
"""


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU")
@pytest.mark.parametrize(
    ("how", "sound"),
    [("short of memory", True), ("keeps memory", False), ("asserts", False)],
    ids=lambda each: str(each),
)
def test_a_gpu_is_sound_when_it_answers_and_holds_no_more_than_before(how, sound):
    done = subprocess.run([sys.executable, "-c", ON_GPU, how], capture_output=True, text=True, check=False)

    assert done.stdout.strip() == str(sound), done.stderr
