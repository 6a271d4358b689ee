"""Loggers by name: their records go to the handlers in the parent. A handler travels only if it can append."""

from __future__ import annotations

import logging
from typing import Any

from understudy.wire.travelling.refusal import Refused

_STANDARD = frozenset(vars(logging.Logger("")))  # noqa: LOG001 - its attributes are what is asked for
_NEW = frozenset(
    {"lock", "stream", "_builtin_open", "_closed", "baseFilename", "mode", "delay", "encoding", "errors", "dev", "ino"}
)


def logger(obj: logging.Logger) -> Any:
    """By its name; one that nobody finds by its name has its handlers to itself."""
    if isinstance(obj, logging.RootLogger):
        return logging.getLogger, ()
    if logging.getLogger().manager.loggerDict.get(obj.name) is not obj:
        raise Refused("it was not made by logging.getLogger, so its records would reach nobody: get it by a name")
    if type(obj) is logging.Logger:
        return logging.getLogger, (obj.name,)
    return named, (obj.name, type(obj)), {key: value for key, value in vars(obj).items() if key not in _STANDARD}


def named(name: str, kind: type[logging.Logger]) -> logging.Logger:
    """The logger of that name, of that class: it may have been made before its class was known."""
    found = logging.getLogger(name)
    if not isinstance(found, kind):
        found.__class__ = kind
    return found


def handler(obj: logging.Handler) -> Any:
    """A handler by itself, not on a logger."""
    if not isinstance(obj, logging.FileHandler) or type(obj).__module__ not in {"logging", "logging.handlers"}:
        raise Refused("put it on a logger, whose records reach the handlers of the parent, or make it in __preloop__")
    if any(base.__name__ == "BaseRotatingHandler" for base in type(obj).__mro__):
        raise Refused("two processes cannot rotate one file: put it on a logger, or make it in __preloop__")
    state = {name: value for name, value in vars(obj).items() if name not in _NEW}
    return appending, (type(obj), obj.baseFilename, obj.encoding, obj.errors), state


def appending(kind: Any, path: str, encoding: str | None, errors: str | None) -> logging.FileHandler:
    """It opens the file at its first record."""
    made: logging.FileHandler = kind(path, mode="a", encoding=encoding, delay=True, errors=errors)
    return made
