"""Whether an import finds a module again: not if a program loaded it from a file of its own choice, or that is gone."""

from __future__ import annotations

import os
import sys
import types
from importlib.machinery import ModuleSpec
from weakref import WeakKeyDictionary

_known: WeakKeyDictionary[types.ModuleType, bool] = WeakKeyDictionary()
_paths: list[str] = []


def found_again(module: types.ModuleType, spec: ModuleSpec) -> bool:
    """Whether an import of its name would find the file that it came from; true of what came from none."""
    if spec.origin is None or not spec.has_location:
        return True  # built in, frozen, a namespace, or from a loader of its own kind
    if sys.path != _paths:  # children look where this process looks now
        _known.clear()
        _paths[:] = sys.path
    found = _known.get(module)
    if found is None:
        found = _known[module] = _same(spec, spec.origin)
    return found


def _same(spec: ModuleSpec, origin: str) -> bool:
    parent = spec.name.rpartition(".")[0]
    if parent and parent not in sys.modules:
        return False
    path = getattr(sys.modules[parent], "__path__", None) if parent else None
    try:
        again = next((again for finder in sys.meta_path if (again := finder.find_spec(spec.name, path))), None)
        return again is not None and again.origin is not None and _one_file(again.origin, origin)
    except Exception:  # noqa: BLE001 - of a finder that cannot be asked like this nothing can be said
        return True


def _one_file(one: str, other: str) -> bool:
    try:
        return one == other or os.path.samefile(one, other)
    except OSError:
        return False
