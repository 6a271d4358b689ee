"""What can be told of a function without calling it: whether a call would run, and take these arguments."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import Any

NAMED = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
"""The kinds of parameters that can be given by name."""


def generates(function: object) -> bool:
    """Whether calling it gives a generator, sync or async, and runs none of its code."""
    return inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function)


def signature_of(function: Callable[..., Any], *, wrapped: bool = True) -> inspect.Signature | None:
    """What it takes; of a decorated function what the one within takes, unless ``wrapped`` is False."""
    try:
        return inspect.signature(function, follow_wrapped=wrapped)
    except (TypeError, ValueError):  # some builtins tell none
        return None


def name_of(function: Callable[..., Any]) -> str:
    """What an error's text calls it."""
    while isinstance(function, functools.partial):
        function = function.func
    name: str = getattr(function, "__qualname__", None) or type(function).__qualname__
    return name


def wants_stop_event(function: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> bool:
    """Whether it has a parameter of that name, which these arguments leave open."""
    taken = signature_of(function)
    found = None if taken is None else taken.parameters.get("stop_event")
    if found is None or found.kind not in NAMED or "stop_event" in kwargs:
        return False
    own = signature_of(function, wrapped=False)
    if own is None or "stop_event" not in own.parameters:
        return True
    try:
        return "stop_event" not in own.bind_partial(*args).arguments
    except TypeError:  # too many arguments, of which the call itself will tell
        return False


def check_call(function: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
    """Raise TypeError where the call would."""
    signature = signature_of(function, wrapped=False)  # a decorator may give, or take, arguments of its own
    if signature is None:
        return
    try:
        signature.bind(*args, **kwargs)
    except TypeError as error:
        raise TypeError(f"{name_of(function)}() {error}") from None
