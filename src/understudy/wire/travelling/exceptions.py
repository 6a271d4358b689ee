"""Exceptions: by their arguments and attributes, never by calling an `__init__` that wants others."""

from __future__ import annotations

import copyreg
import traceback
import types
from typing import Any

from understudy.errors import UnderstudyError

_STORY = 50_000


def left_to_us(kind: type[BaseException]) -> bool:
    """Whether it does not say itself how it travels; our own errors say so, but not of their chain."""
    if kind.__reduce_ex__ is not object.__reduce_ex__:
        return False
    return kind.__reduce__ is UnderstudyError.__reduce__ or type(kind.__reduce__) is types.MethodDescriptorType


def exception(error: BaseException) -> tuple[Any, ...]:
    """With its chain, notes and attributes."""
    reduced: Any = error.__reduce__()
    make, args, *rest = reduced
    if make is type(error):
        make, args = rebuilt, (make, args)
    slots: list[str] = copyreg._slotnames(type(error))  # type: ignore[attr-defined]  # noqa: SLF001 - as pickle does
    state = {name: getattr(error, name) for name in slots if hasattr(error, name)}
    state.update((rest[0] or {}) if rest else {})
    if isinstance(error, NameError | AttributeError) and error.name is not None:
        state["name"] = error.name  # which some versions of Python leave out
    links = (error.__cause__, error.__context__, error.__suppress_context__)
    return make, args, (state, links), None, None, restore


def exception_with_story(error: BaseException) -> tuple[Any, ...]:
    """In a state: its traceback too, as text, in a note."""
    reduced = exception(error)
    if error.__traceback__ is None:
        return reduced
    make, args, (state, links), *rest = reduced
    story = "".join(traceback.format_tb(error.__traceback__))[-_STORY:]
    notes = [*state.get("__notes__", ()), f"Traceback, from before it travelled:\n{story}".rstrip()]
    return make, args, ({**state, "__notes__": notes}, links), *rest


def rebuilt(cls: type[BaseException], args: tuple[Any, ...]) -> BaseException:
    """An exception of that class, set up as its built-in base is."""
    error = cls.__new__(cls, *args)
    builtin = next(base for base in cls.__mro__ if base.__module__ == "builtins")
    builtin.__init__(error, *args)  # type: ignore[misc]
    return error


def restore(error: BaseException, kept: tuple[Any, tuple[Any, Any, bool]]) -> None:
    """Attributes and chain."""
    state, (cause, context, suppress) = kept
    if state:
        error.__setstate__(state)
    error.__cause__, error.__context__, error.__suppress_context__ = cause, context, suppress
