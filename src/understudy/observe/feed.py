"""Following the stream, done: reads it, asks for what the follower wishes, and looks whether the system still lives."""

from __future__ import annotations

from collections import deque
from time import monotonic

from understudy.errors import ProtocolError
from understudy.observe.client import Client, Request
from understudy.observe.following import Following, Mode, Step, Wish
from understudy.observe.interest import Interest
from understudy.wire.codec import unpack
from understudy.wire.sockets import Frames

MAX_EVENT = 1 << 20
SILENCE = 5.0
"""Seconds without even a tick after which the system is asked what was missed."""
_LOOK = 0.5
"""Seconds between two looks at whether the system lives, while it says nothing or does not answer."""
_LAST_WORDS = 0.1
"""Seconds within which what the dead have sent comes out of our own queues."""


class Feed:
    """Steps of one follower, as they become known; for one thread at a time."""

    def __init__(self, client: Client, interest: Interest) -> None:
        self.steps: deque[Step] = deque()
        self._client = client
        self._following = Following(interest)
        self._unread: deque[Frames] = deque()
        """Of the stream: what waits for an answer that goes before it."""
        self._asked: tuple[Wish, Request] | None = None
        self._heard_at = monotonic()
        self._look_at = self._heard_at + _LOOK
        self._ask()

    @property
    def over(self) -> bool:
        """Whether nothing comes any more."""
        return self._following.mode is Mode.OVER

    @property
    def waits(self) -> bool:
        """Whether something was asked for that is not answered yet."""
        return self._following.wish is not None

    @property
    def joins(self) -> bool:
        """Whether a snapshot to begin with is still to come."""
        return self._following.mode is Mode.JOINING

    def begin(self) -> None:
        """Ask for a snapshot, and follow from there."""
        self.steps.clear()
        self._following.begin()
        self._anew()

    def catch_up(self) -> None:
        """Ask for all that has happened by now."""
        self._following.doubt()
        self._anew()

    def turn(self, until: float) -> None:
        """Wait for what comes until then; take one round of it."""
        if self._following.mode is Mode.ALONE:
            self._hear_last_words()
            return
        self._ask()
        now = monotonic()
        if self._asked is None:
            self._listen(max(0.0, min(until, self._look_at) - now))
        else:
            wish, request = self._asked
            self._client.attend(max(0.0, min(until, self._look_at, request.again_at) - now))
            self._client.remind(request)
            if request.done:
                self._asked = None
                self._client.forget(request)
                self._answered(wish, request)
        if monotonic() >= self._look_at:
            self._look()

    def _listen(self, seconds: float) -> None:
        if not self._unread:
            self._unread.extend(self._client.listen(seconds))
            if self._unread:
                self._heard()
        if self._client.rejoined():
            self._following.doubt()  # before any of it is taken: much may be missing, and it may be another system's
        while self._unread and self._following.wish is None:
            self._take(self._unread[0])
            if self._following.wish is None:
                self._unread.popleft()  # else it stays, should there be no answer: what follows it is there, at least

    def _take(self, frames: Frames) -> None:
        try:
            message = unpack(frames[-1], MAX_EVENT)
        except ProtocolError:
            return  # noise; if it was an event, the next one tells that it is missing
        self.steps.extend(self._following.heard(message))

    def _heard(self) -> None:
        self._heard_at = monotonic()
        self._look_at = self._heard_at + max(_LOOK, SILENCE / 2)

    def _ask(self) -> None:
        wish = self._following.wish
        if self._asked is not None and self._asked[0] != wish:
            self._anew()
        if wish is not None and self._asked is None:
            fields = {"since": wish.since} if wish.verb == "replay" else {}
            self._asked = wish, self._client.send(wish.verb, **fields)
            self._look_at = monotonic() + _LOOK

    def _anew(self) -> None:
        """An answer that was asked for earlier would not do."""
        if self._asked is not None:
            self._client.forget(self._asked[1])
            self._asked = None

    def _answered(self, wish: Wish, request: Request) -> None:
        self._heard()
        if wish.verb == "snapshot":
            self.steps.extend(self._following.pictured(request.value()))
            return
        try:
            replay = request.value()
        except ProtocolError:
            self._following.refused()
        else:
            self.steps.extend(self._following.replayed(replay))

    def _look(self) -> None:
        """See, after a silence, whether the system has ended; if not, it or the line is held up."""
        self._look_at = monotonic() + _LOOK
        if not self._client.may_live():
            self.steps.extend(self._following.forsake())
        elif monotonic() >= self._heard_at + SILENCE:
            self._client.greet()  # the stream of a gate may have moved
            self._following.doubt()

    def _hear_last_words(self) -> None:
        self._unread.extend(self._client.listen(_LAST_WORDS))
        if not self._unread:
            self._following.end()
        while self._unread:
            self._take(self._unread.popleft())
