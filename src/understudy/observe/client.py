"""Requests to the control socket of a system, from any process of the same user."""

from __future__ import annotations

import itertools
import time
from typing import Any

from understudy import errors
from understudy.errors import ProtocolError, WaitTimeout
from understudy.observe import rundir
from understudy.settings import LONGEST, check_timeout
from understudy.wire.codec import VERSION, pack, unpack
from understudy.wire.sockets import Tap

_MAX_REPLY = 64 << 20
_LONGEST_POLL = 86_400.0  # seconds; what zmq polls for is an int of milliseconds


class Client:
    """One connection; for one thread at a time."""

    def __init__(self, endpoint: str, *, status: bool, timeout: float | None) -> None:
        limit = check_timeout(timeout)
        self._timeout = LONGEST if limit is None else limit
        self._numbers = itertools.count(1)
        self.endpoint = endpoint
        self.directory = rundir.resolve(endpoint)
        self.tap = Tap(self.directory, status=status)

    def ask(self, verb: str, *, timeout: float | None = None, **fields: Any) -> Any:
        """The answer to one request; raises what the system raised, or WaitTimeout if it does not answer in time."""
        seconds = self._timeout if timeout is None else timeout
        number = next(self._numbers)
        self.tap.request(pack({"v": VERSION, "id": number, "verb": verb, **fields}))
        until = time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0:
            frames = self.tap.wait(self.tap.control, min(left, _LONGEST_POLL))
            if frames is None:
                continue
            answer = unpack(frames[-1], _MAX_REPLY)
            if not isinstance(answer, dict) or answer.get("id") != number:
                continue  # the answer to a request that was given up
            if answer.get("ok") is True:
                return answer.get("value")
            kind = getattr(errors, str(answer.get("error")), ProtocolError)
            raise kind(str(answer.get("text")))
        raise WaitTimeout(f"{self.endpoint} did not answer {verb!r} within {seconds:g} s")

    def close(self) -> None:
        """Close the connection."""
        self.tap.close()
