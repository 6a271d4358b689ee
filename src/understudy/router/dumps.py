"""The stacks of actors: asked for by an order, which harms nobody; by a signal only where that is not heard.

The router waits for none of them: it looks at their pages, by its clocks, and goes on.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from time import monotonic
from typing import TYPE_CHECKING

from understudy.lifecycle.actor import Actor
from understudy.spawners import family, pulse
from understudy.spawners.pulse import Pulse
from understudy.spawners.signals import STACKS
from understudy.wire.page import FAULT_SIZE, NEVER, Page
from understudy.wire.stacktext import ordered

if TYPE_CHECKING:
    from understudy.router.world import World

_FELT_FROM, _FORCED_FROM, _UNTIL = 0.2, 0.5, 1.3
_FAINT_UNTIL, _HEEDED_WITHIN = 5.0, 1.0
_DOOMED_FROM, _DOOMED_UNTIL = 0.1, 0.5
_FIRST_LOOK, _LOOK, _LATE_LOOK = 0.002, 0.02, 0.05
_RESTS = 9
"""Times as long as a look took none is taken: all dumps together have a tenth of the router's time for theirs."""
_FULL = FAULT_SIZE - 8192
"""Bytes in the fault handler's place beyond which it is not made to write again: who is held no more makes room."""
_STOPPED = "is stopped, by a signal or a debugger, and tells its stacks when it goes on"
_UNREACHED = "is held up so that not even a signal reaches it"
_STILL_HELD = "is held as long as it was often dumped, and has no room for more; this was the last dump"
_PROGRAM = "(it is a program, and has no stacks that could be read here)"
Tell = Callable[[str], None]


@dataclass(slots=True)
class _Dump:
    """One that is under way."""

    incarnation: int
    pid: int
    page: Page
    number: int
    began: float
    tells: list[Tell]
    doomed: bool = False
    """Whether the process is ended next: then nothing can harm it any more."""
    pulse: Pulse | None = None
    """What its threads were seen to do, from when it is worth a look."""
    forced_at: float = NEVER
    """When the fault handler was called."""
    seen: str = ""
    """What it had written at the last look."""
    pause: float = _FIRST_LOOK

    @property
    def forced(self) -> bool:
        """Whether the fault handler was called."""
        return self.forced_at != NEVER

    @property
    def is_held(self) -> bool:
        """Whether one of its threads was seen to hold its interpreter."""
        return self.pulse is not None and self.pulse.is_held

    @property
    def patience(self) -> float:
        """Seconds after which it is given up: later where the process hardly gets to run."""
        if self.doomed:
            return _DOOMED_UNTIL
        if self.forced:
            return max(_UNTIL, self.forced_at - self.began + _HEEDED_WITHIN)
        return _FAINT_UNTIL if self.pulse is not None and self.pulse.is_faint else _UNTIL


class Dumps:
    """All that are under way in one system; only the router's thread calls."""

    def __init__(self) -> None:
        self._dumps: dict[int, _Dump] = {}
        self._turns: deque[tuple[float, int, _Dump]] = deque()
        """Whose threads are looked at next, and from when on."""
        self._rests_until = 0.0

    def take(self, world: World, actors: Sequence[Actor], then: Callable[[dict[str, str]], None]) -> None:
        """Tell the stacks of all these, by name, when the last of them is told: within 1.5 s, or 5 on a busy machine.

        "" is told of an actor without a process, and a sentence in brackets where there are no stacks to be had.
        """
        left = {actor.uid: actor.name for actor in actors}
        told: dict[str, str] = dict.fromkeys(left.values(), "")
        if not left:
            then(told)
        for actor in actors:

            def tell(text: str, uid: int = actor.uid) -> None:
                told[left.pop(uid)] = text
                if not left:
                    then(told)

            self._begin(world, actor, tell, doomed=False)

    def last(self, world: World, actor: Actor, then: Tell) -> None:
        """Tell the stacks of an actor that is to be ended: sooner, and by the signal where it does not answer."""
        self._begin(world, actor, then, doomed=True)

    def close(self, world: World) -> None:
        """The router ends: who waits is told nothing."""
        for uid in list(self._dumps):
            self._end(world, uid, "")
        self._turns.clear()

    def _begin(self, world: World, actor: Actor, tell: Tell, *, doomed: bool) -> None:
        uid, page = actor.uid, world.records[actor.uid].page
        current = self._dumps.get(uid)
        if current is not None and current.incarnation == actor.incarnation:
            current.tells.append(tell)
            if doomed and not current.doomed:
                current.doomed, current.began = True, monotonic()
            return
        if current is not None:
            self._end(world, uid, "")
        if actor.pid is None or page is None:
            tell("")
        elif actor.spec.program is not None:
            tell(_PROGRAM)
        elif family.is_stopped(actor.pid):
            tell(_excuse(page, _STOPPED))
        else:
            dump = _Dump(actor.incarnation, actor.pid, page, page.ask_for_dump(), monotonic(), [tell], doomed)
            self._dumps[uid] = dump
            world.orders.remind(actor, dump.number)
            self._look_again(world, uid, dump)

    def _look_again(self, world: World, uid: int, dump: _Dump) -> None:
        world.timers.set((uid, "dump"), monotonic() + dump.pause, lambda: self._look(world, uid))
        dump.pause = min(_LOOK if monotonic() - dump.began < _FELT_FROM else _LATE_LOOK, 2 * dump.pause)

    def _look(self, world: World, uid: int) -> None:
        dump, actor = self._dumps[uid], world.registry.actors.get(uid)
        text = dump.page.dump(dump.number)
        if text is None and (actor is None or (actor.incarnation, actor.pid) != (dump.incarnation, dump.pid)):
            text = ""
        if text is None:
            text = self._by_force(world, actor, dump) if actor is not None else ""
        if text is None:
            self._look_again(world, uid, dump)
        else:
            self._end(world, uid, text)

    def _by_force(self, world: World, actor: Actor, dump: _Dump) -> str | None:
        """What the fault handler wrote, or an excuse; None while there is hope."""
        waited, forced_from = monotonic() - dump.began, _DOOMED_FROM if dump.doomed else _FORCED_FROM
        if dump.forced:
            text = dump.page.forced_text()
            if text and text == dump.seen:
                return ordered(text)
            dump.seen = text
        elif waited >= _FELT_FROM and not dump.doomed and dump.pulse is None:
            dump.pulse = Pulse()
            self._turns.append((monotonic(), actor.uid, dump))
            self._set_turn(world)
        if waited >= dump.patience:
            return self._give_up(dump)
        if not dump.forced and waited >= forced_from and (dump.doomed or dump.is_held):
            if len(dump.page.fault()) > _FULL:
                return f"{_excuse(dump.page, _STILL_HELD)}\n\n{ordered(dump.page.forced_text())}"
            if pulse.heeds(dump.pid, STACKS):
                dump.page.force()
                dump.forced_at = monotonic()
                world.spawner(actor).signal(actor.uid, STACKS)
        return None

    def _set_turn(self, world: World) -> None:
        if self._turns:
            world.timers.set("pulse", max(self._turns[0][0], self._rests_until), lambda: self._take_turn(world))

    def _take_turn(self, world: World) -> None:
        """Look at the threads of one process: there may be hundreds, and a read for each."""
        _, uid, dump = self._turns.popleft()
        if self._dumps.get(uid) is dump and dump.pulse is not None and not dump.forced:
            began = monotonic()
            dump.pulse.feel(pulse.look(dump.pid))
            now = monotonic()
            self._rests_until = now + _RESTS * (now - began)
            self._turns.append((now + _LATE_LOOK, uid, dump))
        self._set_turn(world)

    def _give_up(self, dump: _Dump) -> str:
        if family.is_stopped(dump.pid):
            return _excuse(dump.page, _STOPPED)
        if dump.forced:
            # What it has written so far is better than nothing.
            return ordered(dump.page.forced_text()) or _excuse(dump.page, _UNREACHED)
        if not pulse.heeds(dump.pid, STACKS):
            return _excuse(dump.page, "has not begun, or runs another program by now")
        return _excuse(dump.page, "has not answered, though its threads run: too many share its interpreter, ask again")

    def _end(self, world: World, uid: int, text: str) -> None:
        world.timers.clear((uid, "dump"))
        for tell in self._dumps.pop(uid).tells:
            tell(text)


def _excuse(page: Page, why: str) -> str:
    section, lap = page.place
    place = f"in __{section}__, lap {lap}" if section else page.phase.words
    return f"(it {why}; it is {place})"
