"""OpenTelemetry's part in messages: the trace context that goes along with one, and the span of who sends it.

Who has not imported OpenTelemetry's API has no current span, and gets no import of it from here: it costs some MiB. It
is tried for where a message with a context has come, and nowhere else.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import cache
from sys import modules
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from opentelemetry.context import Context
    from opentelemetry.trace import Span

API = "opentelemetry.trace"
"""The module that is there wherever anything of the process has a current span."""
MAX_CONTEXT = 8 << 10
"""Bytes of all keys and values of a context that goes along with a message."""
SYSTEM = "understudy"
TELL, ASK = "tell", "ask"

_NOTHING = nullcontext()
_log = logging.getLogger("understudy")


class Api:
    """What is used of OpenTelemetry's API."""

    def __init__(self) -> None:
        from opentelemetry import context, propagate, trace

        self.context, self.propagate, self.trace = context, propagate, trace
        # Of a provider that is set later it gives that one's spans.
        self.tracer = trace.get_tracer(SYSTEM)

    def current(self) -> Span | None:
        """The current span, if there is one to be followed."""
        if not self.context.get_current():
            return None
        span = self.trace.get_current_span()
        return span if span.get_span_context().is_valid else None

    def written(self) -> dict[str, str]:
        """The current context, as the propagators write it."""
        carrier: dict[str, str] = {}
        try:
            self.propagate.inject(carrier)
        except Exception as error:  # noqa: BLE001 - propagators may be anybody's, and the message is to be sent
            _log.warning("a message goes without its trace context: %s: %s", type(error).__name__, error)
            return {}
        return carrier

    def received(self, carrier: Mapping[str, str]) -> Context | None:
        """The context that came along with a message; None where the propagators find no span in it."""
        try:
            found = self.propagate.extract(carrier, context=self.context.Context())
        except Exception as error:  # noqa: BLE001 - propagators may be anybody's, and what came is none's fault here
            _log.warning("a message's trace context was passed over: %s: %s", type(error).__name__, error)
            return None
        return found if self.trace.get_current_span(found).get_span_context().is_valid else None

    @contextmanager
    def within(
        self, name: str, kind: str, attributes: Mapping[str, Any], parent: Context | None = None
    ) -> Iterator[None]:
        """Inside a new span of that kind; what is raised there is recorded, and makes it one that failed."""
        trace, context = self.trace, self.context
        span = self.tracer.start_span(name, parent, trace.SpanKind[kind], dict(attributes))
        before, inner = context.get_current(), trace.set_span_in_context(span, parent)
        try:
            context.attach(inner)
            yield
        except BaseException as error:
            self._fail(span, error)
            raise
        finally:
            # No token's reset: an interruption may strike before there is one, and a coroutine that nobody awaits any
            # more is closed wherever that is found out, where it would be another context's.
            if context.get_current() is inner:
                context.attach(before)
            span.end()

    def _fail(self, span: Span, error: BaseException) -> None:
        """From the surest to what the error's own methods may spoil."""
        name, failed = type(error).__qualname__, self.trace.StatusCode.ERROR
        span.set_attribute("error.type", name)
        span.set_status(failed, name)
        if not isinstance(error, Exception):  # a timeout, a stop, an exit: it says no more than where it struck
            return
        try:
            span.record_exception(error)
            span.set_status(failed, f"{name}: {error}")
        except Exception as trouble:  # noqa: BLE001 - a user's __str__ may do anything
            span.add_event("exception", {"exception.type": name, "exception.message": f"<{type(trouble).__name__}>"})


@cache
def api() -> Api | None:
    """OpenTelemetry's API, imported at the first call; None where it cannot be."""
    try:
        return Api()
    except ImportError:
        return None
    except Exception as error:  # noqa: BLE001 - its propagators are looked for by what the environment says
        _log.warning("OpenTelemetry cannot be used for messages: %s: %s", type(error).__name__, error)
        return None


def context_getter() -> Callable[[], object]:
    """What gives the context that stands: empty where there is no span, and asked most quickly."""
    known = api()
    return _nothing if known is None else known.context.get_current


def _nothing() -> None:
    """Stands where no API can be had."""


def sending(verb: str, name: str | None, count: int | None = None) -> AbstractContextManager[None] | None:
    """What a message is to be sent inside of, a span if the current one is recorded; None where there is no span.

    To be asked only where the API is loaded. Who asks waits for the answer, so that is a CLIENT; who tells, a PRODUCER.
    Without a name it is for ``count`` receivers.
    """
    known = api()
    if known is None or (span := known.current()) is None:
        return None
    if not span.is_recording():
        return _NOTHING
    attributes: dict[str, Any] = {**_about(verb, "send"), "messaging.batch.message_count": count}
    if name is not None:
        attributes = {**_about(verb, "send"), "messaging.destination.name": name}
    kind = "PRODUCER" if verb == TELL else "CLIENT"
    return known.within(verb if name is None else f"{verb} {name}", kind, attributes)


def around(verb: str, name: str | None, count: int | None = None) -> AbstractContextManager[None]:
    """As `sending`; nothing where there is no span."""
    return (API in modules and sending(verb, name, count)) or _NOTHING


def handling(verb: str, name: str) -> tuple[str, str, dict[str, Any]]:
    """Name, kind and attributes of the span in which that actor handles what it was told, or asked."""
    kind = "CONSUMER" if verb == TELL else "SERVER"
    return f"handle {name}", kind, {**_about("handle", "process"), "messaging.destination.name": name}


def _about(operation: str, kind: str) -> dict[str, Any]:
    return {"messaging.system": SYSTEM, "messaging.operation.name": operation, "messaging.operation.type": kind}


def carried() -> dict[str, str] | None:
    """What goes along with a message that is sent now, as the global propagator writes it; None: nothing."""
    if API not in modules:
        return None
    known = api()
    if known is None or known.current() is None:
        return None
    return bounded(known.written())


def bounded(carrier: Mapping[Any, Any]) -> dict[str, str] | None:
    """Of it what is text, entry by entry as far as there is room; None where that is nothing."""
    kept: dict[str, str] = {}
    left = MAX_CONTEXT
    for key, value in carrier.items():
        if type(key) is type(value) is str and (size := _bytes(key) + _bytes(value)) <= left:
            kept[key] = value
            left -= size
    return kept or None


def arrived(value: Any) -> dict[str, str] | None:
    """What came in the place of a context; None for what is none, or a longer one than anybody sends."""
    if type(value) is dict and value and bounded(value) == value:
        return value
    return None


def _bytes(text: str) -> int:
    return len(text.encode("utf-8", "surrogatepass"))
