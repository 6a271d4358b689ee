"""The thread that hears orders, beats, and watches the main thread's deadlines."""

from __future__ import annotations

import _thread
import errno
import os
import threading
import time
import traceback
from time import monotonic
from typing import Any

from understudy import failpoints
from understudy.config import Limits, ProcessConfig, adopt
from understudy.engine.asking import Asking
from understudy.engine.halt import AFTER_SECTION, NO, Halt
from understudy.engine.outbox import Outbox
from understudy.engine.output import Output
from understudy.engine.sections import Sections
from understudy.engine.stacks import Stacks
from understudy.engine.streams import forward
from understudy.engine.vigil import Vigil
from understudy.errors import ProtocolError
from understudy.mail.office import Myself, Office
from understudy.spawners import guard
from understudy.spawners.base import Birth
from understudy.wire.codec import decode
from understudy.wire.messages import (
    ORDERS,
    Answered,
    Beat,
    Cycle,
    Fate,
    Heard,
    Orders,
    Progress,
    Sought,
    Still,
    Terminated,
)
from understudy.wire.page import DEADLINE, NEVER, STRAYS, Page
from understudy.wire.sockets import Frames, Line, topic

_PROGRESS_EVERY = 0.05
_ALONE = 70
_UNTOLD = ProcessConfig()
"""What counts until the state is open; made once, in the zygote."""
_STARVED = 0.05


class Link:
    """One incarnation's link to its parent."""

    def __init__(self, line: Line, outbox: Outbox, birth: Birth, bell: tuple[int, int], leash: int) -> None:
        self._line, self._outbox, self._birth = line, outbox, birth
        self._bell, self._leash = bell, leash
        self._halt: Halt
        self.vigil: Vigil
        self._sections: Sections
        self._stacks: Stacks
        self._output: Output | None
        self._config = _UNTOLD
        self._settings: dict[str, Any] = birth.settings
        """What was configured while the actor runs, the last word of it."""
        self._shortest = NEVER
        self.office = Office(
            Myself(birth.system, birth.uid, birth.incarnation, birth.name),
            birth.key,
            line.exchange,
            outbox.say,
            outbox.say,
            outbox.say,
            self._tell_strays,
        )
        self.asking = Asking(birth.system, outbox.say, outbox.tag)
        self._told: tuple[int, float] | None = None
        """The place and the deadline that the main thread was interrupted for."""
        self._progress: Progress | None = None
        self._progress_at = 0.0
        self.verdict = ""
        self.ordered = False
        """Whether the parent itself asked for the stop."""
        self.judged = threading.Event()
        self.acknowledged = threading.Event()
        self._kept = 0
        """The number of the last checkpoint that the parent has."""
        self._kept_more = threading.Event()
        self._closing = False
        self._gone = threading.Event()

    def attend(self, halt: Halt, sections: Sections, stacks: Stacks, output: Output | None) -> None:
        """What it is about."""
        self._halt, self._sections, self._stacks, self._output = halt, sections, stacks, output
        self.vigil = Vigil(halt, sections, self._outbox.say)

    def start(self) -> None:
        """Begin to hear and to beat."""
        # Without waiting for it to run, as Thread.start would: it gets its turn when the main thread has begun to act.
        _thread.start_new_thread(self._run, ())

    def take_on(self, config: ProcessConfig) -> None:
        """Use the settings of the actor, which are known only when its state is open."""
        taken, self._config = self._birth.settings, config
        while taken is not self._settings:  # looked at anew: orders may be heard meanwhile
            taken = self._settings
            adopt(config, taken)
        self._shortest = config.timeouts.shortest()
        forward().most = config.limits.records
        if self._output is not None:
            self._output.take_on(config.limits)
        self.ring()

    @property
    def limits(self) -> Limits:
        """Of the actor, once its state is open."""
        return self._config.limits

    def ring(self) -> None:
        """Wake the thread."""
        os.write(self._bell[1], b"r")

    def progress(self, progress: Progress) -> None:
        """Send progress, the latest at most every 50 ms."""
        now = monotonic()
        if now - self._progress_at >= _PROGRESS_EVERY:
            self._progress_at = now
            self._progress = None
            self._outbox.say_nowait(progress)
            return
        waiting, self._progress = self._progress, progress
        if waiting is None:
            self.ring()

    def wait_kept(self, number: int) -> None:
        """Until the parent has the checkpoint of that number; the deadline of the section bounds it."""
        while self._kept < number:
            self._kept_more.wait()
            self._kept_more.clear()

    def flush(self) -> None:
        """Send what is held back."""
        waiting, self._progress = self._progress, None
        if waiting is not None:
            self._outbox.say_nowait(waiting)
        forward().catch_up()

    def close(self) -> None:
        """End the thread; it lets go of its socket."""
        self._closing = True
        self.ring()
        self._gone.wait(1.0)

    def _run(self) -> None:
        try:
            self._hear_and_beat()
        except BaseException:  # noqa: BLE001 - whatever it is, nobody can reach this process any more
            if not self._closing:
                traceback.print_exc()
                os._exit(_ALONE)
        self._gone.set()

    def _hear_and_beat(self) -> None:
        birth = self._birth
        failpoints.hit("link.subscribe", birth.incarnation)
        self._line.subscribe(topic(birth.system, birth.uid, birth.incarnation), self._bell[0])
        while not self._closing:
            try:
                self._serve(monotonic())
            except Exception as error:
                # Taken by the hook, which ends by the same error; what could not be heard is said again.
                if not (isinstance(error, MemoryError) or getattr(error, "errno", None) == errno.ENOMEM):
                    raise
                time.sleep(_STARVED)
        self._line.unsubscribe()

    def _serve(self, beaten_at: float) -> None:
        while not self._closing:
            self._listen(self._patience(beaten_at + self._config.heartbeat.interval))
            if self._halt.level != NO and not self._halt.event.is_set():
                self._halt.event.set()
            now = monotonic()
            if now >= beaten_at + self._config.heartbeat.interval:  # which the opened state may have changed
                if not guard.holds(self._leash):
                    os._exit(_ALONE)  # where the kernel sends no signal for the leash, we look
                self._outbox.say_nowait(Beat())
                beaten_at = now
                self._tend()
            if self._progress is not None and now - self._progress_at >= _PROGRESS_EVERY:
                self._progress_at = now
                self.flush()
            self._watch(now)

    def _tend(self) -> None:
        """What waits for a beat."""
        self._stacks.tidy()
        forward().catch_up()
        if self._output is not None:
            self._output.look(forward().tell)

    def _listen(self, seconds: float) -> None:
        """Hear what comes within that time; whoever asks for the stacks is served between any two steps."""
        ordered, woken = self._line.wait(seconds)
        self._stacks.serve()
        while ordered and (frames := self._line.hear()) is not None:
            self._stacks.serve()
            self._obey(frames)
            self._stacks.serve()
        if woken:
            self._drain()
            self._stacks.serve()

    def _patience(self, beat_at: float) -> float:
        now = monotonic()
        # No section that opens from now on can be due before the shortest timeout has passed.
        due = min(beat_at, now + self._shortest)
        deadline = self._sections.page.reals[DEADLINE]
        if deadline > now:
            due = min(due, deadline)
        elif self._sections.page.overdue(now) not in {None, self._told}:
            due = now
        if self._progress is not None:
            due = min(due, self._progress_at + _PROGRESS_EVERY)
        return max(0.0, due - now)

    def _watch(self, now: float) -> None:
        late = self._sections.page.overdue(now)
        if late is not None and late != self._told:
            self._told = late
            self._sections.interrupt()

    def _obey(self, frames: Frames) -> None:
        try:
            identity, order = decode(frames[1:], ORDERS)
        except ProtocolError:
            return  # only the parent speaks here; what is no order changes nothing
        if (identity.uid, identity.incarnation) != (self._birth.uid, self._birth.incarnation):
            return
        if isinstance(order, Orders):
            self.obey(order)
            if not (order.acknowledged or order.verdict):  # to these the process answers by going on, or away
                self._outbox.say_nowait(Heard(order.number))
        else:
            self._pass_on(order)

    def _pass_on(self, word: Fate | Sought | Answered | Terminated | Still | Cycle) -> None:
        """What is for those who send messages, or have asked for something."""
        office = self.office
        if isinstance(word, Fate):
            office.fate(word)
        elif isinstance(word, Sought):
            office.sought(word)
        elif isinstance(word, Answered):
            self.asking.answered(word)
        elif isinstance(word, Terminated):
            self.vigil.tell(word)
        elif isinstance(word, Still):
            office.still(word)
        elif isinstance(word, Cycle):
            office.cycle(word)

    def obey(self, orders: Orders) -> None:
        """Take all wishes that stand; to hear them twice changes nothing."""
        if orders.stop:
            self._take_stop(orders.stop)
        if orders.paused != self._halt.paused:
            (self._halt.pause if orders.paused else self._halt.resume)()
        if orders.settings != self._settings:
            self._settings = orders.settings
            if self._config is not _UNTOLD:
                self._adopt()
        if orders.checkpoint > self._kept:
            self._kept = orders.checkpoint
            self._outbox.unconfirmed = False
            self._kept_more.set()
        if orders.verdict and not self.judged.is_set():
            self.verdict = orders.verdict
            self._outbox.unconfirmed = False
            self.judged.set()
        if orders.acknowledged and not self.acknowledged.is_set():
            self._outbox.unconfirmed = False
            self.acknowledged.set()

    def _adopt(self) -> None:
        """A section under way keeps its deadline; what begins from now on goes by the new settings."""
        adopt(self._config, self._settings)
        self._shortest = self._config.timeouts.shortest()
        self._halt.renew()

    def _tell_strays(self, count: int) -> None:
        self._sections.page.words[STRAYS] = count

    def obey_page(self, page: Page) -> None:
        """Take the stop and the pause that stand there: the orders for it may still be on their way."""
        if page.stop:
            self._take_stop(page.stop)
        while self._halt.paused != page.paused:  # looked at anew: the order that it changed may be heard meanwhile
            (self._halt.pause if page.paused else self._halt.resume)()

    def _take_stop(self, stop: str) -> None:
        self.ordered = True
        self._halt.order = stop
        self._halt.stop(AFTER_SECTION, "stop")

    def _drain(self) -> None:
        try:
            while os.read(self._bell[0], 1024):
                pass
        except BlockingIOError:
            return
