"""Requests to the control socket of a system, local or behind a gate; and the stream, as it arrives."""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable, Iterable
from time import monotonic
from typing import Any

from understudy import errors
from understudy.errors import AccessDenied, SystemClosed, WaitTimeout
from understudy.observe.guest import MOST_TICKETS, Guest
from understudy.observe.places import There, place_of
from understudy.settings import LONGEST, check_timeout
from understudy.wire.bell import Bell
from understudy.wire.codec import VERSION, pack, unpack
from understudy.wire.sockets import MAX_REPLY, Frames, Meeting, Tap

_AGAIN, _SELDOM = 2.0, 16.0
"""Seconds without an answer after which a request is sent again; twice as many each time, up to that."""
_REPLIES, _EVENTS = 100, 256


class Request:
    """One that was sent; sent again from time to time, for it, or its reply, may be lost with a connection."""

    def __init__(self, number: int, said: dict[str, Any]) -> None:
        self.number, self.said = number, {"v": VERSION, "id": number, **said}
        self.again_at = monotonic() + _AGAIN
        self.tickets = 0
        """How many were had for it."""
        self._pause = _AGAIN
        self._reply: dict[Any, Any] | None = None

    @property
    def changes(self) -> bool:
        """Whether something is to be done, which must not be done twice."""
        return "request" in self.said

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

    def __init__(
        self,
        endpoint: str,
        *,
        key: str | os.PathLike[str] | None = None,
        topics: Iterable[bytes] = (),
        timeout: float | None,
    ) -> None:
        limit = check_timeout(timeout)
        self.timeout = LONGEST if limit is None else limit
        self.endpoint = endpoint
        self._place = place_of(endpoint, key)
        self._guest = Guest() if isinstance(self._place, There) else None
        self._bell: Bell | None = Bell()
        self._numbers = itertools.count(1)
        self._open: dict[int, Request] = {}
        self._hello: Request | None = None
        """That to a gate which is not answered yet."""
        self._met: Meeting | None = None
        """How the last connection over a network began."""
        self._rejoined = False
        self._joined = False
        self._tap = Tap(self._place.route(), topics, self._bell.read)
        self.greet()

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
                    late = "; what was asked for may be done all the same" if request.changes else ""
                    raise WaitTimeout(
                        f"{self.endpoint} did not answer {verb!r} within {seconds:g} s{self.suspicion()}{late}"
                    )
                if self.remind(request) and not self.may_live():
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
        request = self._open[number] = Request(number, {"verb": verb, **fields})
        self._post(request)
        return request

    def remind(self, request: Request) -> bool:
        """Send it again if that is due; whether it was."""
        if request.done or monotonic() < request.again_at:
            return False
        request.put_off()
        self._post(request)
        return True

    def forget(self, request: Request) -> None:
        """Nobody waits for its reply any more."""
        self._open.pop(request.number, None)

    def attend(self, seconds: float) -> None:
        """Wait so long for replies, or until it is rung. Raises AccessDenied where the key is refused."""
        self._tap.wait([self._tap.control], max(0.0, seconds))
        self._take_replies()

    def listen(self, seconds: float) -> list[Frames]:
        """What came of the stream; waits so long for some, or for a reply, or until it is rung. Raises as `attend`."""
        self._tap.wait([self._tap.status, self._tap.control], seconds)
        frames = self._tap.take(self._tap.status, _EVENTS)
        self._take_replies()  # after those, for it tells whether they are of a connection that was there before
        return frames

    def rejoined(self) -> bool:
        """Whether the stream comes by another connection than at the last call, be it of another system."""
        rejoined, self._rejoined = self._rejoined, False
        return rejoined

    def may_live(self) -> bool:
        """Whether the system may still live, be it paused."""
        return self._place.may_live()

    def greet(self) -> None:
        """Ask a gate for what has to be known of it, unless that is under way; of a local system nothing has."""
        if self._guest is not None and self._hello is None:
            self._hello = self.send("hello")

    def suspicion(self) -> str:
        """What may be the reason why nothing is heard, for the text of an error."""
        if self._guest is None or self._met is Meeting.WELCOME:
            return ""
        if self._met is Meeting.FAILED:
            return "; something is there, but no gate of the system that the key is for"
        return "; no connection came about: the name may be unknown, nothing listen there, or a firewall be between"

    def ring(self) -> None:
        """End a wait that is under way, from any thread."""
        bell = self._bell
        if bell is not None:
            bell.ring()

    def close(self) -> None:
        """Close the connection."""
        self._tap.close()
        self._bell = None

    def _post(self, request: Request) -> None:
        if self._guest is None or not request.changes:
            self._tap.request(pack(request.said))
        elif self._guest.is_known:
            request.tickets += 1
            self._tap.request(pack(request.said | self._guest.ticket()))
        else:
            self.greet()  # it goes as soon as that is answered

    def _take_replies(self) -> None:
        if self._bell is not None:
            self._bell.hush()
        if self._guest is not None:
            self._meet()
        for frames in self._tap.take(self._tap.control, _REPLIES):
            reply = unpack(frames[-1], MAX_REPLY)
            # Others are answers to what was given up, or was asked for twice.
            if isinstance(reply, dict) and isinstance(number := reply.get("id"), int):
                request = self._open.get(number)
                if request is not None:
                    self._answer(request, reply)
        if self._guest is not None:
            self._look_to_the_hello(self._guest)

    def _answer(self, request: Request, reply: dict[Any, Any]) -> None:
        reason = reply.get("reason") if self._guest is not None else None
        if reason == "busy":
            return  # it is sent again, later
        if reason == "ticket" and self._guest is not None and request.tickets < MOST_TICKETS:
            self._guest.lost()
            self._post(request)
        else:
            request.answer(reply)

    def _meet(self) -> None:
        for socket, how in self._tap.meetings():
            self._met = self._met if self._met is Meeting.DENIED else how
            if socket is self._tap.status and how is Meeting.WELCOME:
                self._rejoined, self._joined = self._joined, True
        if self._met is Meeting.DENIED:
            raise AccessDenied(
                f"{self.endpoint} refuses the key: it does not know it, or it was revoked, or its role was changed"
            )

    def _look_to_the_hello(self, guest: Guest) -> None:
        hello = self._hello
        if hello is None or not hello.done:
            if hello is not None:
                self.remind(hello)
            return
        self._hello = None
        self.forget(hello)
        guest.welcomed(hello.value())
        if isinstance(self._place, There) and guest.port is not None:
            self._tap.follow(self._place.stream(guest.port))
        for request in self._open.values():
            if request.changes and not request.done:
                self._post(request)
