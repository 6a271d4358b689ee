"""Requests to the control socket of a system, from any process of the same user; and the stream, as it arrives."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable
from time import monotonic
from typing import Any

from understudy import errors
from understudy.errors import SystemClosed, WaitTimeout
from understudy.observe import rundir
from understudy.settings import LONGEST, check_timeout
from understudy.wire.bell import Bell
from understudy.wire.codec import VERSION, pack, unpack
from understudy.wire.sockets import MAX_REPLY, Frames, Tap

_AGAIN, _SELDOM = 2.0, 16.0
"""Seconds without an answer after which a request is sent again; twice as many each time, up to that."""
_REPLIES, _EVENTS = 100, 256


class Request:
    """One that was sent; sent again from time to time, for it, or its reply, may be lost with a connection."""

    def __init__(self, number: int, body: bytes) -> None:
        self.number, self.body = number, body
        self.again_at = monotonic() + _AGAIN
        self._pause = _AGAIN
        self._reply: dict[Any, Any] | None = None

    @property
    def done(self) -> bool:
        """Whether it is answered."""
        return self._reply is not None

    def value(self) -> Any:
        """The answer; raises what the system raised."""
        reply = self._reply or {}
        if reply.get("ok") is True:
            return reply.get("value")
        raise errors.kind_named(reply.get("error"))(str(reply.get("text")))

    def answer(self, reply: dict[Any, Any]) -> None:
        """Its reply has come."""
        self._reply = reply

    def put_off(self) -> None:
        """It was sent again."""
        self._pause = min(_SELDOM, 2 * self._pause)
        self.again_at = monotonic() + self._pause


class Client:
    """One connection; for one thread at a time, but for `ring`. ``topics`` of the stream are subscribed to."""

    def __init__(self, endpoint: str, *, topics: Iterable[bytes] = (), timeout: float | None) -> None:
        limit = check_timeout(timeout)
        self.timeout = LONGEST if limit is None else limit
        self.endpoint = endpoint
        self.directory = rundir.resolve(endpoint)
        self._bell: Bell | None = Bell()
        self._numbers = itertools.count(1)
        self._open: dict[int, Request] = {}
        self._tap = Tap(self.directory, topics, self._bell.read)

    def ask(
        self, verb: str, *, timeout: float | None = None, leaves: Callable[[], bool] = lambda: False, **fields: Any
    ) -> Any:
        """The answer to one request; when it was rung meanwhile, ``leaves`` says whether to give up.

        Raises what the system raised, WaitTimeout if it does not answer in time, SystemClosed where it is gone.
        """
        seconds = self.timeout if timeout is None else timeout
        until = monotonic() + seconds
        request = self.send(verb, **fields)
        try:
            while True:
                if leaves():
                    raise SystemClosed(f"the connection to {self.endpoint} was closed while it was asked for {verb!r}")
                self.attend(min(until, request.again_at) - monotonic())
                if request.done:
                    return request.value()
                if monotonic() >= until:
                    late = "; what was asked for may be done all the same" if "request" in fields else ""
                    raise WaitTimeout(f"{self.endpoint} did not answer {verb!r} within {seconds:g} s{late}")
                if self.remind(request) and not self.is_served():
                    raise SystemClosed(f"the system at {self.endpoint} is gone; it did not answer {verb!r}")
        finally:
            self.forget(request)

    def send(self, verb: str, **fields: Any) -> Request:
        """Begin a request; what comes for it is taken by `attend` and `listen` until it is forgotten.

        It may arrive more than once: where that would matter, ``request`` has to be a key of its own.
        """
        if self._bell is None:
            raise SystemClosed(f"this connection to {self.endpoint} was closed")
        number = next(self._numbers)
        request = self._open[number] = Request(number, pack({"v": VERSION, "id": number, "verb": verb, **fields}))
        self._tap.request(request.body)
        return request

    def remind(self, request: Request) -> bool:
        """Send it again if that is due; whether it was."""
        if request.done or monotonic() < request.again_at:
            return False
        request.put_off()
        self._tap.request(request.body)
        return True

    def forget(self, request: Request) -> None:
        """Nobody waits for its reply any more."""
        self._open.pop(request.number, None)

    def attend(self, seconds: float) -> None:
        """Wait so long for replies, or until it is rung."""
        self._tap.wait([self._tap.control], max(0.0, seconds))
        self._take_replies()

    def listen(self, seconds: float) -> list[Frames]:
        """Messages of the stream, waiting so long for some, or until a reply comes or it is rung."""
        self._tap.wait([self._tap.status, self._tap.control], seconds)
        self._take_replies()
        return self._tap.take(self._tap.status, _EVENTS)

    def is_served(self) -> bool:
        """Whether the process whose system that is still lives."""
        return rundir.is_served(self.directory)

    def ring(self) -> None:
        """End a wait that is under way, from any thread."""
        bell = self._bell
        if bell is not None:
            bell.ring()

    def close(self) -> None:
        """Close the connection."""
        self._tap.close()
        self._bell = None

    def _take_replies(self) -> None:
        if self._bell is not None:
            self._bell.hush()
        for frames in self._tap.take(self._tap.control, _REPLIES):
            reply = unpack(frames[-1], MAX_REPLY)
            # Others are answers to what was given up, or was asked for twice.
            if isinstance(reply, dict) and isinstance(number := reply.get("id"), int):
                request = self._open.get(number)
                if request is not None:
                    request.answer(reply)
