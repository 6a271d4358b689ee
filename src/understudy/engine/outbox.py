"""What the process says to its parent: numbered, tagged where it bears a pickle, silent in a forked copy."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

from understudy.spawners.base import Birth
from understudy.wire.codec import encode
from understudy.wire.keys import tag
from understudy.wire.messages import Beat, Heard, Identity
from understudy.wire.sockets import Line


class Outbox:
    """One incarnation's voice; any of its threads may use it."""

    def __init__(self, line: Line, birth: Birth) -> None:
        self._line: Line | None = line
        self._birth = birth
        self._numbers = itertools.count(1)
        self.dropped = 0
        self.unconfirmed = False
        """Whether something was said since the parent last proved that it had read all before."""

    def tag(self, frames: Sequence[Any]) -> bytes | None:
        """The tag for a pickle and its buffers; None for no frames."""
        return tag(self._birth.key, frames) if frames else None

    def say(self, message: Any) -> None:
        """Send, waiting for room."""
        if self._line is not None:
            self.unconfirmed = True
            self._line.report(encode(self.identity(), message))

    def say_nowait(self, message: Any) -> bool:
        """Send if there is room; what is dropped is counted."""
        if self._line is None:
            return False
        self.unconfirmed = self.unconfirmed or not isinstance(message, Beat | Heard)
        sent = self._line.report_nowait(encode(self.identity(), message))
        self.dropped += not sent
        return sent

    def mute(self) -> None:
        """A forked copy cannot speak for the actor."""
        self._line = None

    def identity(self) -> Identity:
        """Who speaks, with the number of what is said next."""
        return Identity(self._birth.system, self._birth.uid, self._birth.incarnation, next(self._numbers))
