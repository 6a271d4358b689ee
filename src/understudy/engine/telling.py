"""Errors as plain facts, with the original as a pickle where it has one."""

from __future__ import annotations

import traceback
from types import FrameType, TracebackType
from typing import Any

from understudy.runtime import Interruption
from understudy.wire.pickling import dump_frames, loads

_TEXT_LIMIT = 50_000
"""Characters of up to 4 bytes: twice that and the timers of a life stay below what an envelope may hold."""
_NAME_LIMIT = 1_000


class Told:
    """What is told of an error, filled step by step, from the surest to what the error's own methods may spoil."""

    def __init__(self, error: BaseException) -> None:
        self._error = error
        self.name = type(error).__qualname__[:_NAME_LIMIT]
        self.text = "<its text cannot be had>"
        self.story = "<its traceback cannot be had>"
        self.frames: list[Any] = []

    def fill(self) -> None:
        """Find all of it; an Interruption passes, and leaves what was found till then."""
        error = self._error
        self.story = _where_it_stood(error)
        if isinstance(error, Interruption):
            return
        try:
            self.text = str(error)[:_TEXT_LIMIT]
        except Interruption:
            raise
        except BaseException as trouble:  # noqa: BLE001 - a user's __str__ may do anything
            self.text = f"<its text cannot be had: {type(trouble).__name__}>"
        try:
            self.story = _story(error)[-_TEXT_LIMIT:]
        except Interruption:
            raise
        except BaseException as trouble:  # noqa: BLE001 - a chain of causes may hold anything
            self.story += f"<the rest of its traceback cannot be had: {type(trouble).__name__}>"
        self.frames = travelling(error)


def _story(error: BaseException) -> str:
    return "".join(traceback.format_exception(type(error), error, _users(error.__traceback__)))


def _where_it_stood(error: BaseException) -> str:
    """The user's frames alone, without a word of the error itself."""
    steps = [step for step in traceback.walk_tb(error.__traceback__) if not _ours(step[0])]
    try:
        lines = traceback.StackSummary.extract(iter(steps)).format()
    except MemoryError:
        return "<its traceback cannot be had: MemoryError>"
    return "".join(["Traceback (most recent call last):\n", *lines])[-_TEXT_LIMIT:]


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
    except Interruption:
        raise
    except BaseException:  # noqa: BLE001 - its text travels in any case
        return None
    return frames


def _bare(error: BaseException) -> BaseException | None:
    """The error without its chain and attributes, which are what most often does not travel."""
    try:
        bare = type(error).__new__(type(error), *error.args)
        bare.args = error.args
    except Interruption:
        raise
    except BaseException:  # noqa: BLE001 - a __new__ of its own
        return None
    return bare
