"""Observer: a snapshot of a running system, then every change in order, from any process, here or elsewhere."""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Iterable, Iterator
from functools import partial
from time import monotonic
from types import TracebackType
from typing import Any, Self

from understudy.errors import AccessDenied, SystemClosed, UnknownActor, WaitTimeout
from understudy.observe.aside import Aside, Twins, twin
from understudy.observe.cast import Cast
from understudy.observe.client import Client
from understudy.observe.feed import Feed
from understudy.observe.following import MISSED, Picture, Step
from understudy.observe.interest import Interest
from understudy.observe.waiting import Waiting
from understudy.settings import check_timeout
from understudy.status import ActorInfo, ActorTable, Event, Status

_ANSWER = 5.0
"""Seconds for an answer that would only complete what is known."""


class Observer:
    """Follows the status stream of a running system; a context manager, sync and async.

    ``endpoint`` is what ``ActorSystem.endpoint`` says, or the system's name; or ``tcp://HOST:PORT``, where a system on
    another machine has a gate (`ActorSystem.observe_at`), with ``key``, the file of a key that it knows. Iterating, by
    ``for`` or ``async for``, gives each :class:`Event` once, in order; with ``names``, what had been missed comes in
    the order of its actor. What was missed is asked for again. Where the system no longer has it, one event of kind
    ``snapshot`` stands for it; its data has ``missed``, how many at most, and their ``kinds``.

    Iteration ends when the system has closed, or its process is gone; a paused one is waited for, and so is one that
    can't be reached. A later system of the same name is another one, for another observer.

    ``names``: one or several names or globs of the actors to follow; events of others don't even arrive then.
    ``kinds``: one or several kinds of events to hand on, of `state` `laps` `progress` `health` `figures` `restart`
    `report` `dead_letter` `log`; left out, all but `figures`, which are measured, about once a second, only for who
    names them.

    ``timeout`` is in seconds, None for as long as it takes: where the system does not answer in that time, the first
    call, or entering, raises WaitTimeout. Raises UnknownActor where there is no such system, ConfigError for names and
    kinds that are none. An observer is for one thread, or one task, at a time; `close` may be called by any.
    """

    def __init__(
        self,
        endpoint: str,
        *,
        key: str | os.PathLike[str] | None = None,
        names: str | Iterable[str] | None = None,
        kinds: str | Iterable[str] | None = None,
        timeout: float | None = 10.0,
    ) -> None:
        self._interest = Interest(names, kinds)
        self._client = Client(endpoint, key=key, topics=self._interest.topics, timeout=timeout)
        self._feed = Feed(self._client, self._interest)
        self._cast = Cast(self._interest)
        self._aside = Aside(self._client.ring)
        self._in_use = threading.Lock()
        self._closed = False

    @property
    def actors(self) -> dict[str, ActorInfo]:
        """What is known of each actor, by name, as of the last event; of the ended, the last thousand."""
        if self._cast.seq is None:
            self._begin()
        return self._cast.actors

    @property
    def aio(self) -> AioObserver:
        """The same calls for asyncio."""
        return AioObserver(self)

    def snapshot(self) -> ActorTable:
        """All living actors that are followed, now; what follows in the stream follows from here.

        Raises WaitTimeout, and SystemClosed where the system, or the observer, has closed.
        """
        with self._use():
            self._feed.begin()
            self._join()
            return ActorTable(self._cast.actors.values())

    def next(self, timeout: float | None = None) -> Event | None:
        """The next change, or None after ``timeout`` seconds, or when the system, or the observer, has closed."""
        until = _moment(check_timeout(timeout))
        with self._use():
            return self._next(until)

    def wait_for(
        self, name: str, *, status: str | Status | Iterable[str | Status], timeout: float | None = None
    ) -> ActorInfo:
        """Wait until the actor of that name has that status, or one of several; its row as of then.

        The row of one that has ended is whole, if the system can still be asked; of others it holds what events tell.

        It may have had it, or have ended with it, before: what has happened by now is caught up with first. It may
        come up later, and be restarted meanwhile. Events that pass are not handed on again. Raises

        * WaitTimeout after ``timeout`` seconds;
        * ActorError, for a killed one ActorKilled, if it ends, or has ended, with another status;
        * SystemClosed if the system, or the observer, closes;
        * ConfigError for what is no name (a glob is none), no status, or not among the names that are followed.
        """
        waiting, seconds = Waiting(self._interest, name, status), check_timeout(timeout)
        until = _moment(seconds)
        with self._use():
            self._feed.catch_up()
            while (found := self._found(waiting, until)) is None:
                if self._feed.over or self._leaves():
                    raise SystemClosed(f"{self._client.endpoint} closed before {name} was {waiting}")
                if not self._turn(until):
                    raise waiting.late(seconds, self._cast.actors.get(name))
            return self._whole(found) if found.status.ended and not self._feed.over else found

    def close(self) -> None:
        """Stop following, at once; a wait that is under way ends."""
        self._closed = True
        self._client.ring()
        self._aside.close()
        self._let_go()

    def _next(self, until: float) -> Event | None:
        while not self._leaves():
            over = self._feed.over
            if (event := self._take()) is not None or over:
                return event
            if not self._turn(until):
                return self._take()
        return None

    def _take(self) -> Event | None:
        """The next of the events that are at hand to be handed on."""
        while (step := self._advance()) is not None:
            if isinstance(step, Event) and (step.kind == MISSED or self._interest.wants(step.kind)):
                return step
        return None

    def _advance(self) -> Step | None:
        """The next of the steps that are at hand; the table of actors goes along."""
        if not self._feed.steps:
            return None
        step = self._feed.steps.popleft()
        if isinstance(step, Picture):
            self._cast.renew(step.rows, step.seq)
        else:
            self._cast.note(step)
        return step

    def _turn(self, until: float) -> bool:
        """Take in what comes until then; False when nothing did and the time is over."""
        self._feed.turn(until)
        return bool(self._feed.steps) or monotonic() < until

    def _fill(self, until: float) -> None:
        """Wait until then for something to be taken."""
        with self._use():
            while not (self._feed.steps or self._feed.over or self._leaves()) and self._turn(until):
                pass

    async def _coming(self, until: float) -> Event | None:
        """As `_next`: the wait is made aside, but the event is taken here, where no cancelling can come between."""
        late = False
        while not self._closed:
            if self._in_use.acquire(blocking=False):  # else a call that was given up is still on its way out
                try:
                    over, event = self._feed.over, self._take()
                finally:
                    self._in_use.release()
                if event is not None or over or late:
                    return event
            late = monotonic() >= until
            await self._aside.run(partial(self._fill, until))
        self._let_go()
        return None

    def _found(self, waiting: Waiting, until: float) -> ActorInfo | None:
        """The row that is waited for, if what is at hand has it."""
        while not self._leaves() and (step := self._advance()) is not None:
            if (found := waiting.take(step, self._cast.actors.get(waiting.name))) is not None:
                return found
        if waiting.asks and not self._feed.waits:
            return waiting.stand(self._row(waiting, until))
        return None

    def _whole(self, row: ActorInfo) -> ActorInfo:
        """The same row with what no event tells: how long it ran, its exit code, the figures of its laps."""
        with contextlib.suppress(UnknownActor, WaitTimeout, SystemClosed):
            whole = ActorInfo.from_dict(self._ask("info", row.name, monotonic() + _ANSWER))
            if (whole.uid, whole.status) == (row.uid, row.status):
                return whole
        return row

    def _row(self, waiting: Waiting, until: float) -> ActorInfo | None:
        """Where an actor stands, and why; the system is asked for what we don't know."""
        row = self._cast.actors.get(waiting.name)
        if self._feed.over:
            return row
        with contextlib.suppress(UnknownActor):  # not there yet, or listed no more
            if row is None:
                row = ActorInfo.from_dict(self._ask("info", waiting.name, until))
            if waiting.wonders_at(row):
                with contextlib.suppress(AccessDenied):  # an observer elsewhere may not know why
                    waiting.read(self._ask("story", waiting.name, until))
        return row

    def _ask(self, verb: str, name: str, until: float) -> Any:
        left = max(0.0, until - monotonic())
        return self._client.ask(verb, name=name, timeout=left, leaves=self._leaves)

    def _join(self) -> None:
        """Wait for the snapshot that was asked for."""
        until = monotonic() + self._client.timeout
        while self._feed.joins:
            if self._leaves():
                raise SystemClosed(f"this observer of {self._client.endpoint} was closed")
            if not self._turn(until) and self._feed.joins:
                seconds, why = self._client.timeout, self._client.suspicion()
                raise WaitTimeout(f"{self._client.endpoint} did not answer within {seconds:g} s{why}")
        if self._feed.over and not self._feed.steps:
            raise SystemClosed(f"{self._client.endpoint} has closed")
        while self._feed.steps and isinstance(self._feed.steps[0], Picture):
            self._advance()

    @contextlib.contextmanager
    def _use(self) -> Iterator[None]:
        """One thread at a time, and not before the first snapshot is there."""
        try:
            with self._in_use:
                if self._feed.joins and not self._closed:
                    self._join()
                yield
        finally:
            if self._closed:
                self._let_go()

    def _let_go(self) -> None:
        """Close the connection, unless a call is under way: then that does, when it leaves."""
        if self._in_use.acquire(blocking=False):
            try:
                self._client.close()
            finally:
                self._in_use.release()

    def _leaves(self) -> bool:
        return self._closed or self._aside.given_up()

    def _begin(self) -> None:
        with self._use():
            pass

    def __repr__(self) -> str:
        state = "closed" if self._closed else f"{len(self._cast.actors)} actors"
        return f"<Observer of {self._client.endpoint}: {state}>"

    def __iter__(self) -> Iterator[Event]:
        while (event := self.next()) is not None:
            yield event

    def __enter__(self) -> Self:
        try:
            self._begin()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Event:
        event = await self._coming(_moment(None))
        if event is None:
            raise StopAsyncIteration
        return event

    async def __aenter__(self) -> Self:
        try:
            await self._aside.run(self._begin)
        except BaseException:
            self.close()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._closed = True
        self._client.ring()
        await self._aside.run(self.close)


class AioObserver(Twins):
    """The calls of an Observer that wait, as coroutines; cancelling `next` loses no event."""

    async def next(self, timeout: float | None = None) -> Event | None:
        """As `Observer.next`."""
        event: Event | None = await self._whose._coming(_moment(check_timeout(timeout)))  # noqa: SLF001 - its other half
        return event

    snapshot = twin(Observer.snapshot)
    wait_for = twin(Observer.wait_for)


def _moment(seconds: float | None) -> float:
    return float("inf") if seconds is None else monotonic() + seconds
