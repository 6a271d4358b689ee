"""The router's thread: poll, decode, decide, perform."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable
from time import monotonic
from typing import TYPE_CHECKING, Any

from understudy.errors import SystemClosed
from understudy.lifecycle.events import Died, Forked, ForkFailed, Place, Ready
from understudy.observe.publisher import TICK
from understudy.router import watching
from understudy.router.calls import Calls
from understudy.router.control import Control
from understudy.router.desk import Desk, answered
from understudy.router.door import Door
from understudy.router.errands import Errands
from understudy.router.executing import Programs
from understudy.router.folders import read_last_lines
from understudy.router.listing import brief
from understudy.router.logs import defect, warning
from understudy.router.outputs import Outputs
from understudy.router.peers import Neighbour
from understudy.router.perform import kill_doomed
from understudy.router.replies import Replies
from understudy.router.reports import Reports, laps_of
from understudy.router.requests import look
from understudy.router.sampling import Sampler
from understudy.router.survey import Survey
from understudy.router.turning import Turning
from understudy.router.watch import Watch
from understudy.router.world import World
from understudy.spawners.base import Born, Executed, Gone, News, NotBorn
from understudy.wire.audience import LONGEST_TOPIC
from understudy.wire.page import Phase

if TYPE_CHECKING:
    from understudy.router.gates import Gates

_LATE = 0.2
_QUIET, _CATCH_UP = 0.05, 0.5
_LAST_WORDS = 0.5
"""Seconds for which a death waits where the reports do not end, as while others flood us with log records."""
_FIRST_LOOK, _PATIENCE = 2.0, 0.005
"""Seconds more for a program whose first look has not been yet, and between two turns meanwhile."""
_TOPIC_NUMBERS = 2  # uid and incarnation


class Router:
    """One thread, a daemon: exit handlers come first, and close the system."""

    def __init__(self, world: World, calls: Calls) -> None:
        self.world, self.calls = world, calls
        self.watch = Watch(world)
        self._reports = Reports(world, self.watch)
        world.row = lambda actor: brief(world, self.watch, actor)
        self.sampler = Sampler(world, calls)
        self.errands = Errands(world.system, calls)
        self.files = Errands(f"files-{world.system}", calls)
        outputs = Outputs(world, self.files)
        self.desk = Desk(world, self.watch, self.sampler, self.errands, outputs)
        self._control = Control(self.desk)
        self._programs = Programs(world, calls, Turning(world, self.files))
        self._neighbour = Neighbour(Replies(world.hub, world.timers))
        self._gates: Gates | None = None
        world.look = lambda actor, tell: answered(lambda: look(self.desk, actor)).then(tell)
        self._survey = Survey(world, self.sampler, self.errands)
        self._over = False
        self._turned = monotonic()
        self._dead: list[tuple[float, Gone]] = []
        """Deaths that were told, and until when they wait for what the dead had said."""
        bell, tell = world.hub.bell, self._tell_of_the_door
        self._door = None if bell is None else Door(world.system, world.directory, world.hub, bell, tell)
        self._thread = threading.Thread(target=self._run, name=f"understudy-{world.system}", daemon=True)

    @property
    def has_gates(self) -> bool:
        """Whether any was opened."""
        return self._gates is not None

    @property
    def gates(self) -> Gates:
        """All of them; what serves these is imported with the first, for most systems have none."""
        if self._gates is None:
            from understudy.router.gates import Gates

            self._gates = Gates(self.world, self._control)
        return self._gates

    def start(self) -> None:
        """Begin."""
        hub = self.world.hub
        hub.watch(self.calls.fileno())
        for spawner in self.world.spawners.values():
            hub.watch(spawner.fileno())
        self.calls.thread, self.calls.closed = self._thread, self.world.closed
        self.world.timers.set("tick", monotonic() + TICK, self._tick)
        if self._door is not None:
            self._door.start()
        self._thread.start()

    def stop(self) -> None:
        """End the loop; to be called when every actor has ended."""
        with contextlib.suppress(SystemClosed):  # it has ended already
            self.calls.make(self._end)
        self._thread.join()

    def _end(self) -> None:
        self._over = True

    def _run(self) -> None:
        try:
            while not self._over:
                self._turn()
        except BaseException:  # noqa: BLE001 - told in full; and whoever waits must not wait for ever
            self.world.logs.put(defect("the router ended by an error of its own; please report it"))
        finally:
            self.calls.close()
            self._try(self.world.leave_waiting)
            self._try(self.world.dumps.close, self.world)
            self._try(self._leave)

    def _turn(self) -> None:
        due = self._due()
        if self._dead:
            wait: float | None = _PATIENCE if any(self._programs.is_looking(one.uid) for _, one in self._dead) else 0.0
        else:
            wait = None if due is None else max(0.0, due - monotonic())
        ready = self.world.hub.poll(wait)
        before, now = self._turned, monotonic()
        self._turned = now
        # What was due at once, however long ago, was not late before this turn began.
        if due is not None and (late := now - max(due, before)) > _LATE:
            self.watch.forgive(late)
            self._try(self._catch_up)
        self._try(self._round, ready, now)

    def _leave(self) -> None:
        self.world.publisher.bye()
        if self._gates is not None:
            self._gates.close()
        if self._door is not None:
            self._door.close()
        self.world.hub.close()

    def _tell_of_the_door(self, text: str) -> None:
        with contextlib.suppress(SystemClosed):
            self.calls.make(lambda: self.world.logs.put(warning(text)))

    def _catch_up(self) -> None:
        """After a pause of this process: what was said meanwhile is heard before any clock strikes.

        ZeroMQ's own thread was paused too, and needs a moment to hand over what waits in the kernel.
        """
        until = monotonic() + _CATCH_UP
        while (now := monotonic()) < until and (ready := self.world.hub.poll(_QUIET)):
            self._listen(ready, now)

    def _round(self, ready: set[object], now: float) -> None:
        self._listen(ready, now)
        # As of when it woke: if it was held up since, the next turn sees that, and forgives before any clock strikes.
        for act in self.world.timers.due(now):
            self._try(act)
        kill_doomed(self.world)

    def _listen(self, ready: set[object], now: float) -> None:
        hub, world = self.world.hub, self.world
        # Reports were sent after the births that they tell of: so they are read before these, and heard after them.
        # And they were sent before the deaths: so a death counts when what had arrived by then is read.
        dead, self._dead = self._dead, []
        reports, all_read = hub.take(hub.reports) if dead or hub.reports in ready else ([], True)
        for spawner in world.spawners.values():
            self._try(self._learn, spawner, now)
        for frames in reports:
            self._try(self._reports.take, frames)
        for until, death in dead:
            record = world.records.get(death.uid)
            looks = self._programs.is_looking(death.uid)
            if (all_read and not looks and not (record and record.reading)) or now >= until + looks * _FIRST_LOOK:
                self._try(self._hear, death)
            else:
                self._dead.append((until, death))
        self._answer(ready)

    def _learn(self, spawner: Any, now: float) -> None:
        for one in spawner.news(now):
            if isinstance(one, Gone):
                self._dead.append((now + _LAST_WORDS, one))
                self._fetch_last_lines(one)
            else:
                self._try(self._hear, one)

    def _fetch_last_lines(self, death: Gone) -> None:
        actor, record = self.world.registry.actors.get(death.uid), self.world.records.get(death.uid)
        if actor is not None and record is not None and actor.incarnation == death.incarnation:
            read_last_lines(self.world, actor, record, self.files)

    def _answer(self, ready: set[object]) -> None:
        hub = self.world.hub
        if hub.orders in ready:
            for frame in hub.subscriptions(hub.orders):
                self._try(self._subscribed, frame)
        if hub.status in ready:
            hear = hub.audience.hear
            self.world.dropped += sum(not hear(frame) for frame in hub.subscriptions(hub.status))
        if hub.control in ready:
            for frames in hub.each(hub.control):
                self._try(self._control.take, self._neighbour, frames)
        if self._gates is not None:
            self._try(self._gates.listen, ready)
        if self.calls.fileno() in ready:
            self.calls.run()

    def _due(self) -> float | None:
        moments = [spawner.due() for spawner in self.world.spawners.values()]
        return min((at for at in (self.world.timers.next(), *moments) if at is not None), default=None)

    def _try(self, act: Callable[..., None], *arguments: Any) -> None:
        """One step; a defect of ours in it is told in full, and costs neither the other steps nor the router."""
        try:
            act(*arguments)
        except BaseException:  # noqa: BLE001 - told in full
            self.world.logs.put(defect("the router met an error of its own and goes on; please report it"))

    def _hear(self, news: News) -> None:
        world = self.world
        actor = world.registry.actors.get(news.uid)
        record = world.records.get(news.uid)
        if actor is None or record is None or actor.incarnation != news.incarnation or actor.status.ended:
            world.registry.stale += 1
            if isinstance(news, Executed) and news.notices is not None:
                news.notices.close()
            return
        if isinstance(news, Born):
            record.born(news.pid)
            world.happen(news.uid, Forked(news.pid))
        elif isinstance(news, NotBorn):
            world.happen(news.uid, ForkFailed(news.reason, news.lost))
        elif not isinstance(news, Gone):
            if actor.spec.program is not None:
                self._programs.hear(actor, actor.spec.program, news)
        else:
            record.gone(news)
            page = record.page
            place, lost = Place(), 0
            if page is not None:
                lost = page.in_hand
                section, lap = page.place
                phase = page.phase
                if phase is Phase.READY and actor.ready_at is None:
                    # It died before its word of it had left the process: the page is proof enough. Who is leaving has
                    # had an answer to its last word, so a READY among them was read.
                    world.happen(news.uid, Ready())
                place = Place(section, lap, self._programs.phase_of(actor, page) if phase < Phase.READY else "")
            self._programs.ended(actor, news.left)
            world.happen(news.uid, Died(news.exit_code, news.signal, place, record.starved(), lost))

    def _subscribed(self, frame: bytes) -> None:
        if frame[:1] not in {b"\0", b"\x01"} or len(frame) > LONGEST_TOPIC:
            self.world.dropped += 1
            return
        system, *numbers = frame[1:].removesuffix(b"|").split(b"|")
        known = system == self.world.system.encode() and len(numbers) == _TOPIC_NUMBERS
        if not (known and all(map(bytes.isdigit, numbers))):
            self.world.dropped += 1
        elif frame[:1] == b"\x01":
            self.world.orders.subscribed(int(numbers[0]), int(numbers[1]))
            self.world.post.opened(int(numbers[0]), int(numbers[1]))
            if (actor := self.world.registry.actors.get(int(numbers[0]))) is not None:
                watching.tell(self.world, actor)

    def _tick(self) -> None:
        world = self.world
        self._survey.begin()
        if world.publisher.watched():
            for actor in world.registry.with_process():
                world.publisher.publish(
                    "laps", actor.name, actor.uid, actor.incarnation, None, None, None, laps_of(world, actor.uid)
                )
        world.publisher.tick()
        world.timers.set("tick", monotonic() + TICK, self._tick)
