"""The law of the exports: what a package promises by name is there, is documented, and can be pickled by that name."""

from __future__ import annotations

import dataclasses
import importlib
import re
from collections.abc import Callable, Iterator
from enum import Enum
from types import ModuleType
from typing import Any

Law = Callable[[ModuleType], Iterator[str]]


def promised(package: ModuleType) -> list[str]:
    """The names in `__all__`, which a package has to have."""
    names = getattr(package, "__all__", None)
    assert names is not None, f"{package.__name__} has no __all__"
    return list(names)


def all_names_exist(package: ModuleType) -> Iterator[str]:
    """What `__all__` names is there, and is named once."""
    names = promised(package)
    yield from (f"{name} is promised and not there" for name in names if not hasattr(package, name))
    yield from (f"{name} is promised twice" for name in sorted({name for name in names if names.count(name) > 1}))


def nothing_public_is_unnamed(package: ModuleType) -> Iterator[str]:
    """What is re-exported is in `__all__`."""
    for name, value in vars(package).items():
        meant = not name.startswith("_") and not isinstance(value, ModuleType)
        if meant and getattr(value, "__module__", None) != "__future__" and name not in promised(package):
            yield f"{name} is public and not in __all__"


def all_are_documented(package: ModuleType) -> Iterator[str]:
    """Classes and functions say what they are, in words of their own."""
    for name, value in _defined(package):
        if not _own_words(value):
            yield f"{name} has no docstring"


def all_are_found_by_name(package: ModuleType) -> Iterator[str]:
    """Where an object says that it comes from, it is found: so it pickles, and help() and tracebacks are right."""
    for name, value in _defined(package):
        home = value.__module__
        try:
            found: Any = importlib.import_module(home)
            for part in value.__qualname__.split("."):
                found = getattr(found, part)
        except (ImportError, AttributeError):
            found = None
        if found is not value:
            yield f"{name} says it is {home}.{value.__qualname__}, and there it is not"


def missing_from(text: str, package: ModuleType) -> list[str]:
    """Promised names that the text nowhere names as code."""
    code = set(re.findall(r"[A-Za-z_]\w*", " ".join(re.findall(r"```.*?```|`[^`\n]+`", text, re.DOTALL))))
    return [name for name in promised(package) if name not in code]


LAWS: tuple[Law, ...] = (all_names_exist, nothing_public_is_unnamed, all_are_documented, all_are_found_by_name)


def _defined(package: ModuleType) -> Iterator[tuple[str, Any]]:
    for name in promised(package):
        value = getattr(package, name, None)
        if hasattr(value, "__qualname__") and hasattr(value, "__module__"):
            yield name, value


def _own_words(value: Any) -> bool:
    doc = vars(value).get("__doc__") if isinstance(value, type) else value.__doc__
    if not doc or not doc.strip():
        return False
    made = isinstance(value, type) and (dataclasses.is_dataclass(value) or issubclass(value, (tuple, Enum)))
    return not (made and doc.startswith((f"{value.__name__}(", "An enumeration.")))
