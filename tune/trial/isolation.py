"""Nothing of one trial leaks into the next on a warm worker."""

import atexit
import contextlib
import functools
import gc
import logging
import multiprocessing
import os
import random
import signal
import socket
import sys
import threading
import traceback
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch

from tune.promotion.rewrite import IN_FORCE


@contextlib.contextmanager
def isolated(folder: Path, n_threads: int) -> Iterator[None]:
    """Give a trial the user's working directory, and put the process back as it was."""
    environment, arguments, before = dict(os.environ), list(sys.argv), Path.cwd()
    python_random, numpy_random = random.getstate(), np.random.get_state()
    torch_random, torch_state = torch.get_rng_state(), _torch_state()
    numpy_errors, recursion_limit, streams = np.geterr(), sys.getrecursionlimit(), (sys.stdout, sys.stderr)
    loggers, process = _logging_state(), _process_state()
    os.chdir(folder)
    os.environ["OMP_NUM_THREADS"] = str(n_threads)  # for the processes that the program starts
    torch.set_num_threads(n_threads)
    try:
        with warnings.catch_warnings(), own_exit():
            yield
    finally:
        os.chdir(before)
        sys.argv[:] = arguments
        os.environ.clear()
        os.environ.update(environment)
        random.setstate(python_random)
        np.random.set_state(numpy_random)
        torch.set_rng_state(torch_random)
        _restore_torch(torch_state)
        np.seterr(**numpy_errors)
        sys.setrecursionlimit(recursion_limit)
        sys.stdout, sys.stderr = streams
        _restore_loggers(loggers)
        _restore_process(process)


@contextlib.contextmanager
def own_exit() -> Iterator[None]:
    """Call what the program's own modules register for the end of the process at the end of the trial."""
    registered: list[Callable[[], Any]] = []
    register, unregister = atexit.register, atexit.unregister

    def of_the_trial(function: Callable[..., Any], /, *args: Any, **given: Any) -> Any:
        if IN_FORCE not in getattr(function, "__globals__", {}):
            return register(function, *args, **given)
        registered.append(functools.partial(function, *args, **given))
        return function

    def not_of_the_trial(function: Callable[..., Any]) -> None:
        registered[:] = [each for each in registered if getattr(each, "func", None) is not function]
        unregister(function)

    atexit.register, atexit.unregister = of_the_trial, not_of_the_trial
    try:
        yield
    finally:
        atexit.register, atexit.unregister = register, unregister
        for function in reversed(registered):
            try:
                function()
            except Exception:
                traceback.print_exc()  # into the trial's log, as at the end of a process


def _process_state() -> tuple[Any, ...]:
    handlers = {each: signal.getsignal(each) for each in signal.valid_signals()} if _in_main_thread() else {}
    return (
        handlers,
        multiprocessing.get_start_method(allow_none=True),
        gc.isenabled(),
        logging.root.manager.disable,
        socket.getdefaulttimeout(),
        sys.excepthook,
    )


def _restore_process(state: tuple[Any, ...]) -> None:
    handlers, start_method, collecting, disabled, timeout, hook = state
    for each, handler in handlers.items():
        if handler is not None and signal.getsignal(each) is not handler:
            signal.signal(each, handler)
    if multiprocessing.get_start_method(allow_none=True) != start_method:
        multiprocessing.set_start_method(start_method, force=True)
    if collecting:
        gc.enable()
    logging.disable(disabled)
    socket.setdefaulttimeout(timeout)
    sys.excepthook = hook


def _in_main_thread() -> bool:
    """Elsewhere, as in a worker of Ray's, Python lets nobody set a handler."""
    return threading.current_thread() is threading.main_thread()


def _torch_state() -> tuple[Any, ...]:
    return (
        torch.get_default_dtype(),
        torch.is_grad_enabled(),
        torch.are_deterministic_algorithms_enabled(),
        torch.is_deterministic_algorithms_warn_only_enabled(),
        torch.get_float32_matmul_precision(),
        torch.backends.cudnn.benchmark,
        torch.backends.cudnn.deterministic,
        torch.is_anomaly_enabled(),
    )


def _restore_torch(state: tuple[Any, ...]) -> None:
    dtype, grad, deterministic, warn_only, precision, benchmark, cudnn_deterministic, anomaly = state
    torch.set_default_dtype(dtype)
    torch.set_grad_enabled(grad)
    torch.use_deterministic_algorithms(deterministic, warn_only=warn_only)
    torch.set_float32_matmul_precision(precision)
    torch.backends.cudnn.benchmark = benchmark
    torch.backends.cudnn.deterministic = cudnn_deterministic
    torch.autograd.set_detect_anomaly(anomaly)
    torch.set_default_device(None)  # a worker starts without one


def _loggers() -> dict[str, logging.Logger]:
    """Return every logger; the root's name is ``root``."""
    named = {name: each for name, each in logging.root.manager.loggerDict.items() if isinstance(each, logging.Logger)}
    return {**named, "root": logging.root}


def _logging_state() -> dict[str, tuple[int, list[logging.Handler]]]:
    """Return each logger's level and handlers."""
    return {name: (each.level, list(each.handlers)) for name, each in _loggers().items()}


def _restore_loggers(before: dict[str, tuple[int, list[logging.Handler]]]) -> None:
    """Else the second trial of a program that adds a handler would log each line twice.

    New loggers of a library that stays imported are left alone.
    """
    for name, logger in _loggers().items():
        if name in before or name.partition(".")[0] not in sys.modules:
            level, handlers = before.get(name, (logging.NOTSET, []))
            if logger.handlers != handlers:
                logger.handlers[:] = handlers
            if logger.level != level:  # setting it clears a cache of every logger
                logger.setLevel(level)
