"""How a run ended, as text for people and as JSON for programs."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pprint import pformat
from typing import Any

from understudy.outcome import RemoteTraceback
from understudy.ref import ActorRef
from understudy.runtime import NOTHING
from understudy.status import DeathReport, Status


@dataclass(frozen=True, slots=True)
class Ending:
    """What became of the actor. ``asked`` is what ended it early: a signal's name, or ``timeout``."""

    name: str
    system: str
    status: Status
    value: Any
    error: BaseException | None
    report: DeathReport | None
    incarnations: int
    laps: int
    runtime: float
    asked: str | None


def ending_of(ref: ActorRef[Any], system: str, runtime: float, asked: str | None) -> Ending:
    """Of an actor that has ended."""
    info, error = ref.info(), ref.exception(0)
    try:
        value = ref.result(0)
    except BaseException as raised:
        if raised is not error:
            raise
        value = NOTHING
    report = getattr(error, "report", None)
    if error is not None and not isinstance(report, DeathReport):
        # Whatever `__error__` returned, the last life has its report.
        report = next((life.report for life in reversed(ref.history()) if life.report is not None), None)
    return Ending(
        ref.name, system, info.status, value, error, report, info.incarnation, info.completed_laps, runtime, asked
    )


def as_json(ending: Ending) -> str:
    """One object in one line; its fields stand in docs/guides/command-line.md."""
    value = None if ending.value is NOTHING else ending.value
    is_repr = False
    try:
        json.dumps(value, allow_nan=False)
    except (TypeError, ValueError, RecursionError):
        value, is_repr = repr(value), True
    error = ending.error
    told = {
        "name": ending.name,
        "system": ending.system,
        "status": str(ending.status),
        "result": value,
        "result_is_repr": is_repr,
        "incarnations": ending.incarnations,
        "laps": ending.laps,
        "runtime": ending.runtime,
        "asked": ending.asked,
        "error": None
        if error is None
        else {
            "type": type(error).__name__,
            "text": str(error),
            "traceback": "\n".join(_tracebacks(error)) or None,
            "report": None if ending.report is None else asdict(ending.report),
        },
    }
    return json.dumps(told, allow_nan=False)


def as_text(value: Any) -> str:
    """A result as it is printed: text as it is, None not at all, anything else as Python would write it."""
    if value is None or value is NOTHING:
        return ""
    return value if isinstance(value, str) else pformat(value)


def death(ending: Ending) -> str:
    """The error with what is known of it: for standard error."""
    error = ending.error
    if error is None:
        return ""
    report = "" if ending.report is None else str(ending.report)
    known = "" if ending.report is None else ending.report.stacks
    lines = [f"{type(error).__name__}: {error}"]
    lines += [f"  after {type(first).__name__}: {first}" for first in _causes(error) if not _is_told(first, lines[0])]
    lines += [text.rstrip() for text in _tracebacks(error) if text.strip() not in known]
    return "\n".join([*lines, *filter(None, [report])])


def _is_told(error: BaseException, headline: str) -> bool:
    return isinstance(error, RemoteTraceback) or str(error) in headline


def _causes(error: BaseException) -> Iterator[BaseException]:
    seen = {id(error)}
    found = error.__cause__
    while found is not None and id(found) not in seen:
        seen.add(id(found))
        yield found
        found = found.__cause__


def _tracebacks(error: BaseException) -> list[str]:
    """What the actor's process told of where it failed."""
    chains = [error, *([error.__context__] if error.__context__ is not None else [])]
    found = [one for start in chains for one in (start, *_causes(start)) if isinstance(one, RemoteTraceback)]
    return list(dict.fromkeys(one.text for one in found))
