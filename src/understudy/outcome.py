"""How an actor ended, as the asking thread gets it: a value, or an error with its cause and the child's traceback."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from understudy.errors import (
    SECTION_ERRORS,
    ActorDied,
    ActorError,
    ActorKilled,
    ErrorHandlerError,
    ResultError,
    StartError,
    StartTimeout,
)
from understudy.runtime import NOTHING
from understudy.status import WAS_KILLED, Crash, DeathReport, Status
from understudy.wire.messages import Rites
from understudy.wire.pickling import loads

if TYPE_CHECKING:
    from understudy.lifecycle.actor import Outcome


class RemoteTraceback(Exception):
    """The traceback of an actor's error as text; the last in the chain of causes."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.text = text

    def __str__(self) -> str:
        return f'\n"""\n{self.text.rstrip()}\n"""'


class Sealed:
    """A result that nobody has opened: its frames, which are let go when it is, for they may be large."""

    def __init__(self, frames: Sequence[Any]) -> None:
        self.frames = frames
        self.bytes = sum(memoryview(frame).nbytes for frame in frames)

    def open(self) -> Any:
        """What it holds, or what opening it raises; but for an interrupt by the user, only once."""
        try:
            value = loads(self.frames)
        except KeyboardInterrupt:
            raise
        except BaseException:
            self.frames = ()
            raise
        self.frames = ()
        return value


def open_outcome(outcome: Outcome, name: str, incarnation: int, report: DeathReport | None) -> tuple[Any, Any]:
    """The value (or NOTHING) and the error (or None) of an actor that has ended."""
    if outcome.status is Status.FINISHED:
        return _open_result(outcome.result, name, incarnation)
    if outcome.status is Status.KILLED or outcome.crash is None:
        return NOTHING, ActorKilled(_killed(outcome, name), name=name, incarnation=incarnation, report=report)
    error = build_error(outcome.crash, name, report)
    if outcome.result is not None:
        value, trouble = _open_result(outcome.result, name, incarnation)
        error.result = None if trouble is not None else value
    if isinstance(outcome.rites, Rites):
        return _after_rites(outcome.rites, error, name, incarnation)
    return NOTHING, error


def build_error(
    crash: Crash, name: str, report: DeathReport | None, original: BaseException | None = None
) -> ActorError:
    """The typed error of a crash, its original exception as the cause."""
    text, about = crash.headline(name), {"name": name, "incarnation": crash.incarnation, "report": report}
    error: ActorError
    if crash.kind in {"error", "timeout"}:
        plain, timed_out = SECTION_ERRORS[crash.section]
        kind = timed_out if crash.kind == "timeout" else plain
        error = kind(text, section=crash.section, lap=crash.lap, **about)  # type: ignore[arg-type]
    elif crash.kind == "startup":
        error = StartTimeout(text, phase=crash.phase, exit_code=crash.exit_code, signal=crash.signal, **about)  # type: ignore[arg-type]
    elif crash.kind == "boot" or crash.phase or crash.kind == "unborn":
        error = StartError(text, phase=crash.phase, exit_code=crash.exit_code, signal=crash.signal, **about)  # type: ignore[arg-type]
    else:
        error = ActorDied(text, exit_code=crash.exit_code, signal=crash.signal, **about)  # type: ignore[arg-type]
    if crash.kind in {"error", "timeout", "boot"}:
        error.__cause__ = _original(crash.payload, crash.traceback) if original is None else original
    return error


def _open_result(payload: Sealed | None, name: str, incarnation: int) -> tuple[Any, Any]:
    if payload is None:
        return None, None
    try:
        return payload.open(), None
    except BaseException as error:
        if isinstance(error, KeyboardInterrupt):
            raise
        text = f"{type(error).__name__}: {_text(error)} (the result of {name} arrived but cannot be opened here)"
        trouble = ResultError(text, name=name, incarnation=incarnation, section="result")
        trouble.__cause__ = error
        return NOTHING, trouble


def _after_rites(rites: Rites, error: ActorError, name: str, incarnation: int) -> tuple[Any, Any]:
    if rites.word == "raise":
        returned = _original(rites.frames, rites.traceback)
        if returned is not None and not isinstance(returned, RemoteTraceback):
            return NOTHING, returned
        text = f"{rites.type_name}: {rites.text} (returned by __error__ of {name}, incarnation {incarnation})"
        unopened = ErrorHandlerError(text, name=name, incarnation=incarnation, report=error.report, section="error")
        unopened.__cause__ = error
        return NOTHING, unopened
    if rites.word == "fallback":
        value, trouble = _open_result(Sealed(rites.frames), name, incarnation)
        return (value, error) if trouble is None else (NOTHING, trouble)
    if rites.timeout is not None:
        error.add_note(f"__error__ of {name} ran {rites.timeout:g} s and was ended")
    elif rites.word == "failed":
        text = f"{rites.type_name}: {rites.text} (__error__ of {name}, incarnation {incarnation})"
        failed = ErrorHandlerError(text, name=name, incarnation=incarnation, report=error.report, section="error")
        failed.__context__ = _original(rites.frames, rites.traceback)
        failed.__cause__ = error
        return NOTHING, failed
    return NOTHING, error


def _original(frames: Sequence[Any], traceback: str) -> BaseException | None:
    remote = RemoteTraceback(traceback) if traceback else None
    if not frames:
        return remote
    try:
        original = loads(frames)
    except BaseException as error:
        if isinstance(error, KeyboardInterrupt):
            raise
        return remote
    if not isinstance(original, BaseException):
        return remote
    last, seen = original, {id(original)}
    while last.__cause__ is not None and id(last.__cause__) not in seen:
        last = last.__cause__
        seen.add(id(last))
    if last.__cause__ is None:
        last.__cause__ = remote
    return original


def _killed(outcome: Outcome, name: str) -> str:
    crash = outcome.crash
    if crash is None or crash.kind == "unborn":
        return f"{name} was killed before it had a process"
    last = crash.headline(name)
    return last if crash.text == WAS_KILLED else f"{name} was killed; before that: {last}"


def _text(error: BaseException) -> str:
    try:
        return str(error)
    except Exception as trouble:  # noqa: BLE001 - a user's __str__ may do anything
        return f"<its text cannot be had: {type(trouble).__name__}>"
