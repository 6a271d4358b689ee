"""One event of the stream as a line for people. Pure."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from understudy.cli import formats, styles
from understudy.cli.sheet import Line
from understudy.status import Event

USUAL = ("state", "health", "restart", "held", "pause", "group", "report", "dead_letter", "log")
"""What is told unless kinds are asked for: not how far each is, once a second."""


def told(event: Event) -> Line:
    """When, who, what."""
    clock = time.strftime("%H:%M:%S", time.localtime(event.time))
    what = _TELL.get(event.kind, _other)(event)
    if event.kind == "snapshot":
        return [(clock, "dim"), ("  ", ""), *what]
    return [(clock, "dim"), ("  ", ""), (event.name, styles.of_actor(event.name)), ("  ", ""), *what]


def _state(event: Event) -> Line:
    before = [] if event.before is None else [(f"{event.before} -> ", "dim")]
    return [
        *before,
        (str(event.after), styles.of_status(event.after)),
        (f"  life {event.incarnation}", ""),
        *_why(event),
    ]


def _health(event: Event) -> Line:
    style = {"healthy": "green", "unresponsive": "bold red", "zombie": "bold red"}.get(str(event.after), "")
    return [(str(event.after or "unkillable"), style), *_why(event)]


def _restart(event: Event) -> Line:
    data = event.data
    pause = "at once" if not data.get("pause") else f"in {formats.span(data['pause'])}"
    by = ", as asked" if data.get("asked") else ""
    return [
        (f"life {data.get('incarnation', event.incarnation + 1)} follows {pause}{by}", "yellow"),
        (f", {data.get('lives_left')} left", ""),
    ]  # why is told by the report before it


def _held(event: Event) -> Line:
    seconds = event.data.get("next_restart")
    when = "" if seconds is None else f", its turn comes within {formats.span(seconds)}"
    return [(f"{formats.first_line(event.after or 'held')}{when}", "yellow"), *_why(event)]


def _pause(event: Event) -> Line:
    return [(formats.first_line(event.after or "pause"), "yellow"), *_why(event)]


def _group(event: Event) -> Line:
    style = "bold red" if event.after == "failed" else "yellow"
    return [(f"group {formats.first_line(event.after or '')}", style), *_why(event)]


def _report(event: Event) -> Line:
    by = event.data.get("signal") or (
        f"exit code {event.data['exit_code']}" if event.data.get("exit_code") is not None else "an unknown end"
    )
    return [(f"life {event.incarnation} ended by {by}", "red"), *_why(event)]


def _log(event: Event) -> Line:
    """The first line; `logs` shows the others."""
    word = str(event.data.get("level_name", ""))
    text = formats.first_line(str(event.data.get("message", "")))
    return [(word, styles.LEVEL.get(word, "")), (f" {event.data.get('logger', '')}:", "dim"), (f" {text}", "")]


def _dead_letter(event: Event) -> Line:
    count, sender = event.data.get("count", 1), event.data.get("sender_name")
    what = "a message" if count == 1 else f"{count} messages"
    text = formats.first_line(str(event.data.get("text", "")))
    return [
        (f"{what} for nobody", "yellow"),
        (f", of {sender}" if sender else "", ""),
        (f": {text}" if text else "", "dim"),
        *_why(event),
    ]


def _progress(event: Event) -> Line:
    note = event.data.get("note")
    share = event.data.get("progress")
    return [(formats.percent(share), "cyan"), (f"  {formats.first_line(str(note))}" if note else "", "")]


def _other(event: Event) -> Line:
    pairs = "  ".join(f"{key} {_value(value)}" for key, value in event.data.items())
    return [(event.kind, "dim"), (f"  {pairs}" if pairs else "", ""), *_why(event)]


def _snapshot(event: Event) -> Line:
    return [(f"({formats.first_line(event.cause or 'events were missed')})", "bold yellow")]


def _value(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.1f}"
    return formats.UNKNOWN if value is None else formats.first_line(str(value))


def _why(event: Event) -> Line:
    return [(f"  {formats.first_line(event.cause)}", "dim")] if event.cause else []


_TELL: dict[str, Callable[[Event], Line]] = {
    "state": _state,
    "health": _health,
    "restart": _restart,
    "held": _held,
    "pause": _pause,
    "group": _group,
    "report": _report,
    "dead_letter": _dead_letter,
    "log": _log,
    "progress": _progress,
    "snapshot": _snapshot,
}
