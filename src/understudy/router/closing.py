"""The end of a system: of all its actors, side by side, then of what served them."""

from __future__ import annotations

import contextlib
import logging
import shutil
import sys
import threading
from collections import deque
from collections.abc import Callable
from functools import partial
from time import monotonic

from understudy.config import StopLadder
from understudy.errors import NoCapacity, SystemClosed
from understudy.latch import Latch
from understudy.lifecycle import ladder as ladders
from understudy.lifecycle.actor import Actor
from understudy.lifecycle.effects import Order
from understudy.lifecycle.events import Kill
from understudy.lifecycle.groups.company import Company
from understudy.lifecycle.groups.plans import Farewell, Look, Pace
from understudy.router import endings, verbs
from understudy.router.calls import Calls
from understudy.router.loop import Router
from understudy.router.perform import kill_doomed
from understudy.router.world import World
from understudy.spawners.guard import Leash
from understudy.status import Status

AFTER_LADDER = 3.0
"""Seconds after its SIGKILL that an actor is waited for; what lives then cannot be killed."""
_LOGS_WAIT = 1.0
_SILENCE = 1.0
_NAMED = 5
_Steered = tuple[Company, tuple[Order, ...]]
_log = logging.getLogger("understudy")


def end_all(world: World, calls: Calls, ladder: StopLadder | None, *, force: bool) -> None:
    """Stop every living actor, by the ladder given or its own, or kill it with ``force``; wait for all."""
    now = monotonic()
    grouped = frozenset[int]()

    def ask() -> list[tuple[Actor, Latch[Status], float]]:
        nonlocal grouped
        asked = []
        if force:
            _kill_groups(world)
        else:
            grouped, at = _stop_groups(world, ladder, now)
            asked = [(world.registry.actors[uid], world.cells[uid].settled, at) for uid in grouped]
        for actor in world.registry.living():
            if actor.uid in grouped:
                continue
            rungs = ladders.force(now) if force else ladders.by_ladder(ladder or actor.spec.config.stop, now)
            if force:
                world.happen(actor.uid, Kill("shutdown"))
            else:
                verbs.stop_one(world, actor, rungs, "shutdown")
            asked.append((actor, world.cells[actor.uid].settled, rungs[-1].at))
        kill_doomed(world)
        return asked

    asked = calls.make(ask)
    until = max((at for _, _, at in asked), default=now) + AFTER_LADDER
    if not force and isinstance(sys.exc_info()[1], KeyboardInterrupt):
        _tell_of_the_wait([actor.name for actor, settled, _ in asked if not _ends(settled, now + _SILENCE)], until)
    if any(not _ends(settled, at) for actor, settled, at in asked if actor.uid in grouped):
        # Whoever was asked has ended by now; what it had spawned was asked later, and has no time left.
        calls.make(lambda: _kill_rest(world, grouped))
    for actor, settled, _ in asked:
        if not _ends(settled, until):
            pid = world.registry.actors[actor.uid].pid
            _log.error("%s (pid %s) cannot be killed and is left behind", actor.name, pid)


def _stop_groups(world: World, ladder: StopLadder | None, now: float) -> tuple[frozenset[int], float]:
    """Stop the groups, each in its order; gives their members, with all whom these spawned, and by when all end.

    What is side by side elsewhere goes one after the other there, within the same time: that of the longest ladder.
    """
    registry = world.registry
    members = {uid for group in registry.company.tops() for uid in registry.company.members(group.number)}
    grouped = frozenset(actor.uid for actor in registry.living() if _root(world, actor).uid in members)
    ladders_of = (ladder or registry.actors[uid].spec.config.stop for uid in grouped)
    until = now + max(map(ladders.length, ladders_of), default=0.0)
    farewell = Farewell(Pace.SHUTDOWN, until, ladder)
    for group in registry.company.tops():
        world.steer(partial(_stop_group, group.number, farewell))
    return grouped, until


def _kill_groups(world: World) -> None:
    for group in world.registry.company.tops():
        world.steer(partial(_kill_group, group.number))


def _kill_group(number: int, company: Company, _: Look, __: float) -> _Steered:
    return company.kill(number)


def _stop_group(number: int, farewell: Farewell, company: Company, look: Look, now: float) -> _Steered:
    return company.stop(number, farewell, "shutdown", look, now)


def _root(world: World, actor: Actor) -> Actor:
    """Of an actor that another one spawned, whom the system did."""
    while (parent := world.registry.parent(actor)) is not None:
        actor = parent
    return actor


def _kill_rest(world: World, uids: frozenset[int]) -> None:
    for uid in uids:
        world.happen(uid, Kill("shutdown"))
    kill_doomed(world)


def _tell_of_the_wait(names: list[str], until: float) -> None:
    """Whoever pressed Ctrl-C waits now, and cannot know what for."""
    if names:
        more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
        text = ", ".join(names[:_NAMED]) + more
        _log.warning("waiting for %s to stop, %.0f s at most; Ctrl-C again kills", text, until - monotonic())


def _ends(settled: Latch[Status], until: float) -> bool:
    try:
        settled.result(max(0.0, until - monotonic()))
    except TimeoutError:
        return settled.done()
    return True


class Closing:
    """The way a system ends, whoever closes it, from whichever thread, however often: each step is done once."""

    def __init__(self, system: endings.Closable, router: Router, leash: Leash) -> None:
        self._system, self._world, self._calls = system, router.world, router.calls
        self._lock = threading.RLock()
        spawners = self._world.spawners.values()
        self._steps: deque[Callable[[], None]] = deque(
            [
                router.stop,
                lambda: router.errands.close(_LOGS_WAIT),
                lambda: router.files.close(_LOGS_WAIT),
                lambda: self._world.logs.close(_LOGS_WAIT),
                # While the zygote lives: if a signal ends this process in here, the zygote cleans up.
                lambda: shutil.rmtree(self._world.directory, ignore_errors=True),
                *(spawner.close for spawner in spawners),
                leash.release,
                self._calls.release,
            ]
        )
        self._begun: set[bool] = set()
        self._releasing = False
        self.done = False

    def also(self, step: Callable[[], None]) -> None:
        """Something more that serves the system, to be closed before the rest; late, it is, and SystemClosed is raised.

        There is no lock that a thread interrupted in here could hold against who closes.
        """
        self._steps.appendleft(step)
        if self._releasing:
            with contextlib.suppress(ValueError):  # it was taken, and is done by who closes
                self._steps.remove(step)
                step()
            raise SystemClosed("this system was shut down meanwhile")

    def begin(self, force: bool) -> None:  # noqa: FBT001 - as it is asked for
        """Begin to close, and return."""
        if force in self._begun or True in self._begun:
            return  # it is under way: a thread for each who asks would be as many as somebody likes
        name = f"understudy-shutdown-{self._world.name}"
        closes = threading.Thread(target=self.close, args=(None,), kwargs={"force": force}, name=name, daemon=True)
        try:
            closes.start()
        except RuntimeError as error:
            raise NoCapacity(f"no thread is to be had that would close the system: {error}") from None
        self._begun.add(force)

    def close(self, ladder: StopLadder | None, *, force: bool) -> None:
        """End the actors as `end_all`, then the rest; returns when all of it is done, by whomever.

        An interrupt by Ctrl-C kills what still lives, and is raised when all is done.
        """
        self._world.closing = True
        interrupted: KeyboardInterrupt | None = None
        try:
            end_all(self._world, self._calls, ladder, force=force)
        except KeyboardInterrupt as error:
            interrupted = error
            end_all(self._world, self._calls, None, force=True)
        except SystemClosed:
            pass  # another thread closes it; what follows waits for that
        try:
            endings.apart(self._release)
        except KeyboardInterrupt as error:
            interrupted = error
            endings.apart(self._release)  # it went on; a second press leaves it to itself
        endings.give_back()
        if interrupted is not None:
            raise interrupted

    def _release(self) -> None:
        errors: list[BaseException] = []
        self._releasing = True
        with self._lock:
            while self._steps:
                try:
                    self._steps.popleft()()
                except BaseException as error:  # noqa: BLE001 - raised when the other steps are done
                    errors.append(error)
            self.done = True
            endings.leave(self._system)
        if errors:
            raise errors[0]
