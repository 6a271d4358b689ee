"""An answer over HTTP, by its status."""

from __future__ import annotations

import contextlib
import http.client
import socket
import threading
import time
from dataclasses import dataclass
from typing import Any, NamedTuple
from urllib.parse import SplitResult, urlsplit

from understudy.errors import ConfigError
from understudy.services.waits import owners, port, values
from understudy.services.waits.aside import Aside
from understudy.settings import shown
from understudy.waiting import Answer, NotYet, Pace, Probe, Subject

ATTEMPT = 5.0
"""Seconds that one request may take, from the name of the host to the end of what is read."""
MOST = 1 << 16
"""Bytes of a body that are read, so that who sends it need not fail."""
_PATIENCE = 1.0
"""Seconds that are given to a body once the status is known."""
_GOOD = range(200, 400)


@dataclass(frozen=True, slots=True, repr=False)
class Http(values.Value):
    """Holds once a GET of the URL is answered with the status, or one of the ``range`` of them.

    Redirects are not followed: one is an answer as any other, and by default (200 to 399) a good one. Proxies are not
    asked, and cookies not kept; of an ``https`` URL the certificate is checked. One request is made after the other,
    each of which may take 5 s; of a body at most 64 KiB are read. On this machine it must be the subject's own
    processes that answer, as for `Port`. ``timeout`` is in seconds, None for no bound. Raises ConfigError for what is
    no such URL (one with a user and password among them) or status.
    """

    url: str
    status: int | range = _GOOD
    timeout: float | None = values.USUAL

    def __post_init__(self) -> None:
        _checked(self.url)
        if not isinstance(self.status, range):
            object.__setattr__(self, "status", values.whole("Http.status", self.status, 100, 599))
        elif not self.status or min(self.status) < 100 or max(self.status) > 599:  # noqa: PLR2004 - of the protocol
            raise ConfigError(f"Http.status must be a status, or a range of them, from 100 to 599; got {self.status!r}")
        object.__setattr__(self, "timeout", values.seconds("Http.timeout", self.timeout))

    def start(self, subject: Subject) -> Probe:
        """Send a request when it is first looked at."""
        return _Browsing(urlsplit(self.url), self.status, subject)


def _checked(url: object) -> None:
    wanted = "of the form 'http://host:port/path', or https"
    told = values.text("Http.url", url, wanted)
    if "@" in told.partition("//")[2].partition("/")[0]:  # before anything shows it
        raise ConfigError("Http.url must be without user and password")
    try:
        parts = urlsplit(told)
        number = parts.port
    except ValueError as error:
        raise ConfigError(f"Http.url must be {wanted}; got {shown(url)}: {error}") from None
    if parts.scheme not in {"http", "https"} or not parts.hostname or number == 0:
        raise ConfigError(f"Http.url must be {wanted}; got {shown(url)}")
    if not told.isascii() or any(letter <= " " or letter == "\x7f" for letter in told):
        raise ConfigError(f"Http.url must be of ASCII letters without blanks, the others as %20; got {shown(url)}")


class _Heard(NamedTuple):
    status: int
    reason: str
    peer: tuple[str, int]


class _Request:
    """One request, made in a thread of its own; `end` can be called by another."""

    def __init__(self, parts: SplitResult) -> None:
        self._parts = parts
        self._target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        self._lock = threading.Lock()
        self._sock: socket.socket | None = None
        self._over = False

    def run(self) -> _Heard:
        """Ask, and give what was answered; raises OSError and HTTPException."""
        kind = http.client.HTTPSConnection if self._parts.scheme == "https" else http.client.HTTPConnection
        connection = kind(str(self._parts.hostname), self._parts.port, timeout=ATTEMPT)
        try:
            connection.connect()
            with self._lock:
                if self._over:
                    raise TimeoutError("nobody waits for it any more")
                sock = self._sock = connection.sock
            if port.has_met_itself(sock):
                raise ConnectionRefusedError("Connection refused")
            connection.request("GET", self._target, headers={"Connection": "close", "Accept": "*/*"})
            response = connection.getresponse()
            if self._over:  # the head ended because this end was closed
                raise TimeoutError("it was given up amid the head of the answer")
            heard = _Heard(response.status, response.reason, sock.getpeername()[:2])
            self._read(response, sock)
            return heard
        finally:
            with self._lock:  # who ends it must not strike the descriptor's next owner
                self._sock = None
                connection.close()

    @staticmethod
    def _read(response: http.client.HTTPResponse, sock: socket.socket) -> None:
        left, until = MOST, time.monotonic() + _PATIENCE
        with contextlib.suppress(OSError, http.client.HTTPException), response:  # what is told is told
            while left > 0 and (patience := until - time.monotonic()) > 0:
                sock.settimeout(patience)
                read = response.read1(left)
                if not read:
                    return
                left -= len(read)

    def end(self) -> None:
        """Let the thread come to its end, wherever it waits for the other side."""
        with self._lock:
            self._over = True
            if self._sock is not None:
                with contextlib.suppress(OSError):
                    self._sock.shutdown(socket.SHUT_RDWR)


class _Browsing:
    def __init__(self, parts: SplitResult, status: int | range, subject: Subject) -> None:
        self._parts = parts
        self._good = status if isinstance(status, range) else range(status, status + 1)
        self._subject = subject
        self._judge = owners.Judge(subject.name)
        self._pace = Pace()
        self._request: _Request | None = None
        self._call: Aside[_Heard] | None = None
        self._last = NotYet("")

    def look(self, now: float) -> Answer:
        if self._call is None:
            if not self._pace.is_due(now):
                return NotYet(self._last.seen, within=self._pace.left(now), cause=self._last.cause)
            self._request = _Request(self._parts)
            self._call = Aside("http", self._request.run, now)
        outcome = self._call.outcome()
        if outcome is None:
            return self._patience(self._call, now)
        late = now - self._call.began >= ATTEMPT
        self._request = self._call = None
        heard, error = outcome
        if heard is None:
            told = f"no answer within {ATTEMPT:g} s" if late else _told(error)
            return self._not_yet(NotYet(told, within=self._pace.next(now), cause=error), now)
        answered = f"answered with status {heard.status} {heard.reason}".rstrip()
        if heard.status not in self._good:
            return self._not_yet(NotYet(answered, within=self._pace.next(now)), now)
        at = port.shown(heard.peer)
        answer = self._judge.weigh(owners.of_port(heard.peer, self._subject), f"the server at {at}", answered)
        return self._not_yet(answer, now) if isinstance(answer, NotYet) else answer

    def _not_yet(self, answer: NotYet, now: float) -> NotYet:
        self._pace.put_off(now, answer.within or 0)
        self._last = answer
        return answer

    def _patience(self, call: Aside[Any], now: float) -> NotYet:
        """A thread that nothing ends, as one that looks up a name, is waited for: there is never more than one."""
        left = call.began + ATTEMPT - now
        if left <= 0 and self._request is not None:
            self._request.end()
        before = f"; before: {self._last.seen}" if self._last.seen else ""
        return NotYet(
            f"no answer for {now - call.began:.3g} s{before}",
            readable=(call.fd,),
            within=left if left > 0 else None,
            cause=self._last.cause,
        )

    def close(self) -> None:
        if self._request is not None:
            self._request.end()
        self._request = self._call = None


def _told(error: BaseException | None) -> str:
    if isinstance(error, OSError):
        return (error.strerror or str(error) or type(error).__name__)[:200]
    return f"no HTTP: {error!r}"[:200]
