"""From what stands on the command line to a target: `package.module:Class`, `path/to/file.py:Class`, and functions."""

from __future__ import annotations

import importlib
import importlib.util
import inspect
import os
import re
import sys
import traceback
from difflib import get_close_matches
from importlib.machinery import SourceFileLoader
from types import ModuleType
from typing import Any

from understudy.cli.refusal import Refusal, of_users_code
from understudy.errors import NotAnActor
from understudy.hooks import hooks_of
from understudy.process import Process
from understudy.spawners.base import Target
from understudy.targets import FunctionTarget, ProcessTarget, command_of, label_of
from understudy.wire.travelling.names import spawned_at_import


def find(text: str) -> Any:
    """The class or function that is meant. Raises Refusal."""
    place, path = _parted(text)
    module = (_from_file if place.endswith(".py") or os.sep in place else _by_name)(place)
    if not path:
        return _lone_class(module, place)
    found: Any = module
    for part in path.split("."):
        try:
            found = getattr(found, part)
        except AttributeError:
            raise Refusal(f"{place} has no {path!r}{_nearest(part, _runnable(found))}") from None
    return found


def build(found: Any, arguments: dict[str, Any]) -> Target:
    """The target with its arguments; a class is built here. Raises Refusal."""
    if isinstance(found, type) and issubclass(found, Process):
        return ProcessTarget(_made(found, arguments), label_of(found), command_of(found))
    if isinstance(found, Process):
        if arguments:
            raise Refusal(f"{label_of(type(found))} is made already and takes no --arg")
        return ProcessTarget(found, label_of(type(found)), command_of(type(found)))
    if isinstance(found, type) or not callable(found):
        raise Refusal(f"{found!r} cannot be run: name a Process class or a function")
    _check_call(found, arguments)
    return FunctionTarget(found, (), arguments)


def _parted(text: str) -> tuple[str, str]:
    """Module or file, and the name in it; a file's path may have colons of its own."""
    place, colon, path = text.rpartition(":")
    if not colon or path.endswith(".py") or os.sep in path:
        place, path = text, ""
    if not place or (colon and place != text and not path):
        raise Refusal(f"{text!r} names nothing: write package.module:Class or path/to/file.py:Class")
    return place, path


def _by_name(name: str) -> ModuleType:
    if not all(part.isidentifier() for part in name.split(".")):
        raise Refusal(f"{name!r} is no module's name: write package.module:Class or path/to/file.py:Class")
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name is not None and f"{name}.".startswith(f"{error.name}."):
            raise Refusal(f"no module named {error.name!r} is found from {os.getcwd()}") from None
        raise of_users_code(f"{name} cannot be imported", error) from None
    except (Exception, SystemExit) as error:  # noqa: BLE001 - whatever a module does when it is imported
        raise of_users_code(f"{name} cannot be imported", error) from None


def _from_file(path: str) -> ModuleType:
    if not os.path.isfile(path):
        raise Refusal(f"there is no file {path}")
    full = os.path.abspath(path)
    sys.path.insert(0, os.path.dirname(full))  # as for a script
    name = os.path.splitext(os.path.basename(full))[0]
    try:
        if _is_found_as(name, full):
            return importlib.import_module(name)
        return _loaded(name, full)
    except (Exception, SystemExit) as error:  # noqa: BLE001 - whatever a module does when it is imported
        raise of_users_code(f"{path} cannot be imported", error) from None


def _is_found_as(name: str, full: str) -> bool:
    """Whether an import of that name, here or in a child, gives that file and no other."""
    if not name.isidentifier():
        return False
    spec = importlib.util.find_spec(name)
    return spec is not None and spec.origin is not None and os.path.realpath(spec.origin) == os.path.realpath(full)


def _loaded(name: str, full: str) -> ModuleType:
    """The file as a module under a name of its own, which children cannot import: what is in it travels by value."""
    own = "file_" + re.sub(r"\W", "_", name)
    spec = importlib.util.spec_from_file_location(own, full, loader=SourceFileLoader(own, full))
    if spec is None or spec.loader is None:
        raise Refusal(f"{full} cannot be loaded")
    module = importlib.util.module_from_spec(spec)
    sys.modules[own] = module
    spawned_at_import.add(own)
    spec.loader.exec_module(module)
    return module


def _lone_class(module: ModuleType, place: str) -> type[Process]:
    classes = {
        value.__qualname__: value
        for value in vars(module).values()
        if isinstance(value, type) and issubclass(value, Process) and value.__module__ == module.__name__
    }
    if len(classes) == 1:
        return classes.popitem()[1]
    if not classes:
        raise Refusal(f"{place} defines no Process class{_nearest('', _runnable(module))}")
    raise Refusal(f"{place} defines {len(classes)} Process classes, name one: {', '.join(sorted(classes))}")


def _runnable(found: Any) -> list[str]:
    """What could be meant in a module or class."""
    home = getattr(found, "__name__", "")
    return [
        name
        for name, value in list(getattr(found, "__dict__", {}).items())
        if not name.startswith("_") and getattr(value, "__module__", None) == home and callable(value)
    ]


def _nearest(name: str, known: list[str]) -> str:
    close = get_close_matches(name, known, 1)
    if close:
        return f"; did you mean {close[0]!r}?"
    return f"; there is {', '.join(sorted(known)[:5])}" if known else ""


def _made(cls: type[Process], arguments: dict[str, Any]) -> Process:
    try:
        hooks_of(cls)
        made = cls(**arguments)
    except NotAnActor as error:
        raise Refusal(str(error)) from None
    except (Exception, SystemExit) as error:  # noqa: BLE001 - whatever a user's __init__ does
        if isinstance(error, TypeError) and not _entered(error):
            raise Refusal(f"{error}{_hint(cls.__init__, arguments)}") from None
        raise of_users_code(f"{cls.__qualname__} cannot be made", error) from None
    if not isinstance(made, Process):
        raise Refusal(f"{cls.__qualname__} made a {type(made).__name__}, which is no Process")
    return made


def _entered(error: BaseException) -> bool:
    """Whether the call got into the user's code; if not, its arguments are wrong."""
    frames = (frame for frame, _ in traceback.walk_tb(error.__traceback__))
    return not all(str(frame.f_globals.get("__name__", "")).startswith("understudy.") for frame in frames)


def _check_call(function: Any, arguments: dict[str, Any]) -> None:
    try:
        signature = inspect.signature(function)
    except (TypeError, ValueError):
        return  # some builtins tell none
    given = {"stop_event": None} if "stop_event" in signature.parameters else {}
    try:
        signature.bind(**{**given, **arguments})
    except TypeError as error:
        raise Refusal(f"{command_of(function)}: {error}{_hint(function, arguments)}") from None


def _hint(function: Any, arguments: dict[str, Any]) -> str:
    names = [name for name in inspect.signature(function).parameters if name != "self"]
    unknown = [name for name in arguments if name not in names]
    close = get_close_matches(unknown[0], names, 1) if unknown else []
    return f"; did you mean {close[0]!r}?" if close else ""
