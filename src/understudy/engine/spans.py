"""Spans around the handling of messages: one for each that came with a trace context, a child of its sender's."""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any

from understudy import tracing
from understudy.engine.entries import Single
from understudy.receiving.handlers import Handler
from understudy.spawners.base import Birth

if TYPE_CHECKING:
    from opentelemetry.context import Context


class Spans:
    """Of one incarnation. OpenTelemetry's API is imported with the first message that came with a context."""

    def __init__(self, birth: Birth) -> None:
        self._birth = birth
        self._before: Context | None = None
        """What stood when a plain handler began: the main thread's own."""

    @staticmethod
    def make_ready(entry: Single) -> None:
        """Before its section is opened: the import of the API is none of the handler's time."""
        if entry.seal.context is not None:
            tracing.api()

    def around(self, handler: Handler, entry: Single) -> Handler:
        """The handler, inside a span of its own; as it is where no context came, or none that can be followed."""
        carrier = entry.seal.context
        if carrier is None:
            return handler
        if (known := tracing.api()) is None or (parent := known.received(carrier)) is None:
            return handler

        def span() -> AbstractContextManager[None]:
            verb = tracing.TELL if entry.ask is None else tracing.ASK
            name, kind, attributes = tracing.handling(verb, self._birth.name)
            return known.within(name, kind, {**attributes, **self._about(handler, entry)}, parent)

        async def act_in_task(message: Any) -> Any:
            with span():
                return await handler(message)

        def act(message: Any) -> Any:
            self._before = known.context.get_current()
            with span():
                return handler(message)

        return Handler(handler.name, act_in_task if handler.is_async else act, handler.is_async)

    def settle(self) -> None:
        """The section of a message is closed, and nothing strikes any more: what an interruption left goes."""
        if self._before is not None and (known := tracing.api()) is not None:
            known.context.attach(self._before)
            self._before = None

    def _about(self, handler: Handler, entry: Single) -> dict[str, Any]:
        birth, sender = self._birth, entry.connection
        return {
            "messaging.message.id": f"{sender.ident.hex()}-{entry.seq}",
            "understudy.actor.uid": birth.uid,
            "understudy.actor.incarnation": birth.incarnation,
            "understudy.handler": handler.name,
            "understudy.message.seq": entry.seq,
            "understudy.message.redelivered": entry.sure is not None and entry.sure.is_again,
            "understudy.sender.name": sender.name,
        }
