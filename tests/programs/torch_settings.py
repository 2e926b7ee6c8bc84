"""The global settings of torch, taken from torch itself: what a program may set for its process, and can read again."""

import contextlib
import sys
import types
from functools import partial

import torch

PAIRS = (("get_{}", "set_{}"), ("_get_{}", "_set_{}"), ("{}_enabled", "enable_{}"), ("is_{}_enabled", "set_{}_enabled"))
"""How two functions are named that read and set the same."""
WORDS = (
    "ieee",
    "tf32",
    "bf16",
    "medium",
    "nothing",
    "file_system",
    "qnnpack",
    "onednn",
    "cudnn",
    "native",
    "elsewhere",
)
"""Some that settings of text take."""
MODULES = ("torch.backends.", "torch.multiprocessing", "torch.utils.backcompat", "torch.utils.deterministic")
"""How the names begin of the modules that are looked through, beside ``torch`` and ``torch.backends`` themselves."""


def find_settings():
    """Return what reads and what writes each setting, by its name."""
    found = {}
    for name, module in sorted(sys.modules.items()):
        if name not in ("torch", "torch.backends") and not name.startswith(MODULES):
            continue
        held = {key: getattr(module, key, None) for key in {*vars(module), *dir(type(module))}}
        owners = {name: module, **{f"{name}.{key}": each for key, each in held.items() if is_owner(each)}}
        for owner_name, owner in owners.items():
            for key in settable_names(owner):
                found[f"{owner_name}.{key}"] = partial(getattr, owner, key), partial(setattr, owner, key)
        found |= find_pairs(name, module)
    found |= find_pairs("torch._C", torch._C)
    # what only looks like a setting: another text in the code, a function with arguments
    return {name: each for name, each in found.items() if look(each[0]) not in ("AttributeError", "TypeError")}


def is_owner(thing):
    """Tell whether it is an object that torch has for settings alone, such as ``torch.backends.cuda.matmul``."""
    return type(thing).__module__.startswith("torch.backends") and settable_names(thing) != []


def settable_names(owner):
    """Return the names that may be set, by properties of the owner's class or its own ``__setattr__``."""
    names = set()
    for kind in type(owner).__mro__:
        if kind in (object, types.ModuleType):
            break
        names |= {name for name, each in vars(kind).items() if hasattr(each, "__set__") and hasattr(each, "__get__")}
        names -= {name for name, each in vars(kind).items() if isinstance(each, property) and each.fset is None}
        code = getattr(vars(kind).get("__setattr__"), "__code__", None)
        names |= {each for each in getattr(code, "co_consts", ()) if isinstance(each, str) and each.isidentifier()}
    return sorted(name for name in names if not name.startswith("_"))


def find_pairs(owner_name, owner):
    """Return pairs of functions of which one reads what the other writes."""
    found = {}
    for reads, writes in PAIRS:
        start, end = reads.split("{}")
        for key in vars(owner):
            middle = key[len(start) : len(key) - len(end)]
            write = vars(owner).get(writes.format(middle))
            if middle and key == reads.format(middle) and callable(write):
                found[f"{owner_name}.{key}"] = vars(owner)[key], write
    return found


def look(read):
    """Return a value as text, or how it cannot be read."""
    try:
        return repr(read())
    except Exception as error:
        return type(error).__name__


def look_at_all(settings):
    return {name: look(read) for name, (read, _) in settings.items()}


def others(read):
    """Return values that a setting may take in the place of the one that it has."""
    try:
        value = read()
    except Exception:
        return [True, *WORDS]
    match value:
        case bool():
            return [not value]
        case int() | None:
            return [1, 2, 3, 4]
        case str():
            return WORDS
        case list():
            return [value[::-1]]
        case tuple():
            return [(not value[0], *value[1:]), (value[0], *(not each for each in value[1:]))]
        case torch.dtype():
            return [torch.float64, torch.float16]
        case torch.device():
            return ["meta"]
        case torch.Tensor():
            return [torch.Generator("cpu").manual_seed(9).get_state()]
        case _:
            return list(getattr(type(value), "__members__", {}).values())


def change_all(settings):
    """Set each to another value; return the names of those that no value of ours changes."""
    kept = []
    for name, (read, write) in settings.items():
        before = look(read)
        for value in others(read):
            with contextlib.suppress(Exception):
                write(*value) if isinstance(value, tuple) else write(value)
            if look(read) != before:
                break
        else:
            kept.append(name)
    return kept
