"""Errors as plain facts, with the original as a pickle where it has one."""

from __future__ import annotations

import traceback
from types import FrameType, TracebackType
from typing import Any

from understudy.engine.sections import Interruption
from understudy.wire.pickling import dump_frames, loads

_TEXT_LIMIT = 50_000
"""Characters of up to 4 bytes: twice that and the timers of a life stay below what an envelope may hold."""
_NAME_LIMIT = 1_000


def facts(error: BaseException) -> tuple[str, str, str]:
    """Type, text and traceback of an error, whatever its own methods do."""
    name = type(error).__qualname__
    try:
        text = str(error)
    except BaseException as trouble:  # noqa: BLE001 - a user's __str__ may do anything
        text = f"<its text cannot be had: {type(trouble).__name__}>"
    try:
        story = _where_it_stood(error) if isinstance(error, Interruption) else _story(error)
    except BaseException as trouble:  # noqa: BLE001
        story = f"<its traceback cannot be had: {type(trouble).__name__}>"
    return name[:_NAME_LIMIT], text[:_TEXT_LIMIT], story[-_TEXT_LIMIT:]


def _story(error: BaseException) -> str:
    return "".join(traceback.format_exception(type(error), error, _users(error.__traceback__)))


def _where_it_stood(error: Interruption) -> str:
    """The user's frames alone: what ended them there is ours, and said elsewhere."""
    steps = [step for step in traceback.walk_tb(error.__traceback__) if not _ours(step[0])]
    return "".join(["Traceback (most recent call last):\n", *traceback.StackSummary.extract(iter(steps)).format()])


def _ours(frame: FrameType) -> bool:
    return str(frame.f_globals.get("__name__", "")).startswith("understudy.")


def _users(trace: TracebackType | None) -> TracebackType | None:
    """The traceback from the user's hook on, without the frames of ours that called it."""
    step = trace
    while step is not None and _ours(step.tb_frame):
        step = step.tb_next
    return step or trace


def travelling(error: BaseException) -> list[Any]:
    """The frames of an error that will open at the other end; none for one that would not."""
    return _opens(error) or _opens(_bare(error)) or []


def _opens(error: BaseException | None) -> list[Any] | None:
    if error is None:
        return None
    try:
        frames = dump_frames(error, "error")
        loads(frames)
    except (Exception, SystemExit):  # noqa: BLE001 - its text travels in any case
        return None
    return frames


def _bare(error: BaseException) -> BaseException | None:
    """The error without its chain and attributes, which are what most often does not travel."""
    try:
        bare = type(error).__new__(type(error), *error.args)
        bare.args = error.args
    except Exception:  # noqa: BLE001 - a __new__ of its own
        return None
    return bare
