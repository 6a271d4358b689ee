"""NAME=VALUE on the command line, as arguments of a target and as settings of its actor."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator
from types import NoneType
from typing import Any, get_args

from understudy.cli.refusal import Refusal
from understudy.config import Option, ProcessConfig, options
from understudy.errors import ConfigError, UnknownField

_WORDS = {"none": None, "true": True, "false": False}


def arguments(given: Iterable[str]) -> dict[str, Any]:
    """Keyword arguments; a value that is a Python literal is that, any other is text. Raises Refusal."""
    found: dict[str, Any] = {}
    for name, text in _pairs("--arg", given):
        if not name.isidentifier():
            raise Refusal(f"--arg {name}={text}: {name!r} is no name of an argument")
        found[name] = _literal(text)
    return found


def settings(given: Iterable[str], flag: str = "--config") -> dict[str, Any]:
    """Settings by their dotted paths, each of its type. Raises Refusal, with the nearest path for an unknown one."""
    known = {option.path: option for option in options()}
    found: dict[str, Any] = {}
    for path, text in _pairs(flag, given):
        option = known.get(path)
        try:
            found[path] = _typed(option, text) if option is not None else _literal(text)
            ProcessConfig().override({path: found[path]})
        except (ConfigError, UnknownField) as error:
            raise Refusal(f"{flag} {path}={text}: {error}") from None
    return found


def all_settings() -> str:
    """Every setting with its default, for the help."""
    return ", ".join(f"{option.path}={_shown(option.default)}" for option in options())


def _pairs(flag: str, given: Iterable[str]) -> Iterator[tuple[str, str]]:
    seen: set[str] = set()
    for one in given:
        name, equals, text = one.partition("=")
        name = name.strip()
        if not equals or not name:
            raise Refusal(f"{flag} {one}: write {flag} NAME=VALUE")
        if name in seen:
            raise Refusal(f"{flag} {one}: {name} was given before")
        seen.add(name)
        yield name, text


def _typed(option: Option, text: str) -> Any:
    """The text as the option's type has it; what does not fit is left for the check that names what would."""
    members = get_args(option.type) if NoneType in get_args(option.type) else (option.type,)
    word = text.strip().lower()
    if word in _WORDS and (NoneType if word == "none" else bool) in members:
        return _WORDS[word]
    return _literal(text) if {int, float, bool} & set(members) else text


def _literal(text: str) -> Any:
    try:
        return ast.literal_eval(text.strip())
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        return text


def _shown(value: object) -> str:
    return str(value).lower() if value is None or isinstance(value, bool) else str(value)
