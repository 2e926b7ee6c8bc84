"""Takes away, in every Python process that has this folder on its path, what Linux has and macOS lacks.

Our own code alone finds no /proc: Ray and psutil are built for the system that they are on.
"""

import os
import select
import socket
import sys
import types
from importlib.machinery import PathFinder
from pathlib import Path

TUNE = str(Path(__file__).parents[2] / "tune") + "/"
STDLIB = str(Path(os.__file__).parent) + "/"
LACKING = {
    os: "sched_getaffinity sched_setaffinity memfd_create pidfd_open eventfd pipe2 splice copy_file_range",
    select: "epoll",
    socket: "SO_PEERCRED SOCK_CLOEXEC SOCK_NONBLOCK SOCK_SEQPACKET",
}
LINUX = ("/proc", "/sys", "/dev/shm")


def refuse(path):
    """Raise FileNotFoundError where our own code, or the standard library for it, asks for what macOS has not."""
    if not str(path).startswith(LINUX):
        return
    frame = sys._getframe(1)
    while frame is not None:
        name = frame.f_code.co_filename
        ours = name.startswith(TUNE)
        if ours or not (name == __file__ or (name.startswith(("<", STDLIB)) and "-packages" not in name)):
            break
        frame = frame.f_back
    if frame is not None and ours:
        raise FileNotFoundError(2, "there is no such folder on macOS", str(path))


def hook(event, arguments):
    """Refuse files and folders."""
    if event in ("open", "os.listdir", "os.scandir"):
        refuse(arguments[0])


def stat(path, *arguments, **how):
    """Refuse to say of a file that it is there."""
    refuse(path)
    return real_stat(path, *arguments, **how)


class Finder:
    """Imports the one module that asks which system this is as it is on macOS, without forks and without prctl."""

    @staticmethod
    def find_spec(name, path, target=None):
        if name != "tune.trial.process.linux":
            return None
        spec = PathFinder.find_spec(name, path)
        execute = spec.loader.exec_module

        def execute_on_macos(module):
            execute(module)
            module.CAN_FORK = False
            module.ctypes = types.SimpleNamespace(CDLL=lambda name: object())

        spec.loader.exec_module = execute_on_macos
        return spec


for module, names in LACKING.items():
    for name in names.split():
        if hasattr(module, name):
            delattr(module, name)
sys.addaudithook(hook)
real_stat, os.stat = os.stat, stat
sys.meta_path.insert(0, Finder)
