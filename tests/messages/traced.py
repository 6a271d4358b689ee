"""Actors with OpenTelemetry's SDK, which keep the spans of their process and give them to who asks."""

from __future__ import annotations

import asyncio
import time
from typing import Any, NamedTuple

from opentelemetry import trace
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from tests.messages.cast import die
from tests.stage import hold, note
from understudy import Process, callable_remotely


class Seen(NamedTuple):
    """One span that has ended."""

    name: str
    kind: str
    trace: int
    span: int
    parent: int | None
    status: str
    description: str | None
    events: list[tuple[str, dict[str, Any]]]
    attributes: dict[str, Any]


def seen(span: ReadableSpan) -> Seen:
    own = span.get_span_context()
    assert own is not None
    return Seen(
        span.name,
        span.kind.name,
        own.trace_id,
        own.span_id,
        span.parent.span_id if span.parent is not None else None,
        span.status.status_code.name,
        span.status.description,
        [(event.name, dict(event.attributes or {})) for event in span.events],
        dict(span.attributes or {}),
    )


class Kept:
    """All spans of this process, in the order of their ends."""

    def __init__(self) -> None:
        self._exporter = InMemorySpanExporter()
        provider = TracerProvider()
        provider.add_span_processor(SimpleSpanProcessor(self._exporter))
        trace.set_tracer_provider(provider)

    def taken(self) -> list[Seen]:
        found = [seen(span) for span in self._exporter.get_finished_spans()]
        self._exporter.clear()
        return found


def current() -> int:
    """The current span, 0 if there is none."""
    return trace.get_current_span().get_span_context().span_id


class Mute(Exception):
    """Its text cannot be had."""

    def __str__(self):
        raise RuntimeError("no text")


def trouble(message: Any) -> None:
    """Fail, or wait, if the message says so."""
    match message:
        case ["raise", text]:
            raise ValueError(text)
        case "mute":
            raise Mute
        case "overrun":
            time.sleep(30)
        case ["hold", started, gate]:
            note(started, "holds")
            hold(gate)
        case ["die", way]:
            die(way)


class Traced(Process):
    """Keeps under which span it handled what."""

    def __init__(self, **options):
        self.handled: list[Any] = []
        for path, value in options.items():
            group, _, name = path.rpartition("__")
            setattr(getattr(self.config, group) if group else self.config, name, value)

    def __preloop__(self):
        self.kept = Kept()

    def __receive__(self, message):
        match message:
            case "spans":
                return self.kept.taken()
            case "handled":
                return self.handled
            case "current":
                return current()
            case ["pass on", ref, further]:
                return ref.ask(further, 30)
            case ["tell on", ref, further]:
                ref.tell(further)
            case _:
                trouble(message)
        self.handled.append((message, current()))
        return None

    @callable_remotely
    def double(self, number):
        return 2 * number


class TracedSideBySide(Process):
    """Async handlers, several at once."""

    def __init__(self, hands: int):
        self.config.mailbox.concurrency = hands

    def __preloop__(self):
        self.kept = Kept()
        self.gate: asyncio.Event | None = None

    async def __receive__(self, message):
        if self.gate is None:
            self.gate = asyncio.Event()
        match message:
            case "spans":
                return self.kept.taken()
            case "wait":
                before = current()
                await self.gate.wait()
                return before, current()
            case "open":
                self.gate.set()
            case ["raise", text]:
                await asyncio.sleep(0)
                raise ValueError(text)
            case ["pass on", ref, further]:
                return await ref.aio.ask(further, 30)
        return current()
