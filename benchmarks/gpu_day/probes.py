"""Code that runs in a process of its own, and prints what it measured as JSON."""

CONTEXT = """
import json, time
began, cpu = time.perf_counter(), time.process_time()
import torch, pytorch_lightning
out = {"import_s": time.perf_counter() - began, "import_cpu_s": time.process_time() - cpu}
import pynvml
pynvml.nvmlInit()
handle = pynvml.nvmlDeviceGetHandleByIndex(0)
used = lambda: pynvml.nvmlDeviceGetMemoryInfo(handle).used / 2**20
before, began = used(), time.perf_counter()
torch.cuda.init()
out["init_s"] = time.perf_counter() - began
began = time.perf_counter()
torch.zeros(1, device="cuda")
torch.cuda.synchronize()
out["context_s"] = time.perf_counter() - began
out["context_mib"] = used() - before
x = torch.randn(64, 64, device="cuda")
y = x @ x
torch.cuda.synchronize()
out["with_cublas_mib"] = used() - before - torch.cuda.memory_reserved() / 2**20
print(json.dumps({name: round(value, 2) for name, value in out.items()}))
"""
"""What a process costs before its first kernel, and what CUDA keeps beside what torch counts."""

FORK = """
import importlib, json, os, time
began = time.perf_counter()
importlib.import_module("tune.trial.process.trial_process")  # all that the template imports
out = {"import_s": round(time.perf_counter() - began, 2)}
import torch
out["initialised"] = torch.cuda.is_initialized()
for number in (1, 8):
    reading, writing = os.pipe()
    began = time.perf_counter()
    for _ in range(number):
        if os.fork() == 0:
            try:
                is_bad = torch.cuda._is_in_bad_fork()
                ones = torch.ones(512, 512, device="cuda")
                is_right = (ones @ ones).sum().item() == 512.0**3
                os.write(writing, f"{time.perf_counter() - began:.2f} {is_bad} {is_right}\\n".encode())
            except Exception as error:
                os.write(writing, f"nan {type(error).__name__} {str(error)[:80]}\\n".encode())
            os._exit(0)
    for _ in range(number):
        os.wait()
    out[f"{number} forked"] = os.read(reading, 65536).decode().splitlines()
print(json.dumps(out))
"""
"""Whether a process that imported what the template imports can be forked, and its children use CUDA."""
