"""What the user's object may ask of the runtime while it runs in its process."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from understudy import runtime
from understudy.engine.halt import AFTER_LAP, AFTER_SECTION, Halt
from understudy.engine.laps import LapTimes
from understudy.engine.link import Link
from understudy.engine.outbox import Outbox
from understudy.engine.sections import Sections
from understudy.engine.serving import Serving
from understudy.errors import ConfigError, TooLarge, WrongProcess
from understudy.group import GroupRef
from understudy.lifecycle.names import check_name
from understudy.part import part_of
from understudy.receiving.deferred import Deferred
from understudy.ref import ActorRef
from understudy.settings import shown
from understudy.spawners.base import Birth
from understudy.stats import Stats
from understudy.wire.messages import Checkpoint, KillMe, Progress
from understudy.wire.page import PLACE, PLACE_SHIFT
from understudy.wire.pickling import dumps

if TYPE_CHECKING:
    from understudy.engine.abroad import Abroad
    from understudy.engine.ticking import Ticking
    from understudy.engine.timers import Reminder


class Actor:
    """The engine's face towards hooks; an implementation of `runtime.Inside`."""

    def __init__(self, birth: Birth, halt: Halt, sections: Sections, link: Link, outbox: Outbox) -> None:
        self.name = birth.name
        self.system_id, self.system_name = birth.system, birth.system_name
        self.endpoint = f"ipc://{birth.directory}"
        self.post = link.office
        self.ref: ActorRef[Any] = ActorRef(birth.system, birth.uid, birth.name)
        self.serving: Serving | None = None
        """What takes its messages; made when its state is open if anything of it handles them, else at first use."""
        self.begin_serving: Callable[[], Serving]
        self.attending: list[Callable[[], bool]] = []
        """What is to be done after each section since one of them took messages itself; empty until one did."""
        self.stop_event: threading.Event = halt.event
        self.error: BaseException | None = None
        self.times = LapTimes()
        self._began = time.time()
        self._checkpoints = 0
        self._abroad: Abroad | None = None
        self._birth, self._halt, self._sections = birth, halt, sections
        self._link, self._outbox = link, outbox

    @property
    def lap(self) -> int:
        """The lap under way."""
        return self._sections.page.words[PLACE] >> PLACE_SHIFT

    @property
    def completed_laps(self) -> int:
        """Complete laps."""
        return self._sections.page.laps

    @property
    def last_lap_time(self) -> float | None:
        """Seconds."""
        return self.times.last

    @property
    def incarnation(self) -> int:
        """Which life this is."""
        return self._birth.incarnation

    @property
    def lives_left(self) -> int:
        """Restarts still possible when this life began."""
        return self._birth.lives_left

    @property
    def stopping(self) -> bool:
        """Whether a stop stands; in a pause, when it is over."""
        self._halt.check()
        return self._halt.level > 0

    @property
    def stats(self) -> Stats:
        """Of this life so far."""
        return self.times.stats(self._began)

    def stop(self, after: str) -> None:
        """End after this section or lap."""
        self._halt.stop(AFTER_LAP if after == "lap" else AFTER_SECTION, f"self.stop(after={after!r})")

    def kill(self) -> None:
        """Ask for SIGKILL, and wait for it: nothing of the user's runs any more."""
        self._sections.close(self.lap)
        self._outbox.say(KillMe())
        while True:
            threading.Event().wait()

    def sleep(self, seconds: float) -> bool:
        """True if it slept the whole time."""
        return self._halt.sleep(seconds)

    def limit(self, seconds: float | None) -> None:
        """The section under way has so many seconds from now, None: as many as it likes; in the main thread."""
        self._sections.renew(seconds)
        if seconds is not None:
            self._link.ring()

    def wait_readable(self, fileno: int) -> bool:
        """In the main thread: whether that can be read; it is waited for until a stop stands, which ends the wait."""
        return self._halt.wait_readable(fileno)

    @property
    def redelivered(self) -> bool:
        """As `Process.redelivered`."""
        hand = None if self.serving is None else self.serving.hand
        return hand is not None and hand.sure is not None and hand.sure.is_again

    @property
    def sender(self) -> ActorRef[Any] | None:
        """Who sent the message in hand."""
        return None if self.serving is None else self.serving.sender

    def defer(self) -> Deferred:
        """What answers the message in hand later."""
        return self._takes_messages().defer()

    def receive(self, timeout: float | None) -> Any:
        """The next message; in the main thread only."""
        if threading.current_thread() is not threading.main_thread():
            raise WrongProcess(f"receive() is for the hooks of {self.name}: another thread of it takes no messages")
        return self._takes_messages().receive(timeout)

    def after(self, seconds: float, message: Any) -> Reminder:
        """A message to itself, once."""
        return self._timers().after(seconds, message)

    def every(self, seconds: float, message: Any) -> Reminder:
        """The same, again and again."""
        return self._timers().every(seconds, message)

    def _timers(self) -> Ticking:
        if self.serving is None and threading.current_thread() is not threading.main_thread():
            raise WrongProcess(
                f"{self.name} takes no messages yet, so another thread of it sets no timers: let a hook set the first"
            )
        return self._takes_messages().timers()

    def spawn(self, target: Any, /, *args: Any, link: bool = False, **options: Any) -> Any:
        """A child; arguments as of `Process.spawn`."""
        if runtime.importing():
            # A script without a main guard would spawn again in each process that imports it.
            raise WrongProcess(f"actors are spawned by hooks and handlers, not inside {runtime.whereabouts()}")
        self._check_not_copied("spawns nobody")
        from understudy.targets import wanted  # which brings along what few actors need

        own = {key: options.pop(key) for key in ("name", "host", "replicas", "config") if key in options}
        asked = wanted(target, args, options, link=link, **own)
        return self._link.asking.spawn(asked, link=link, most=self._link.limits.spawn)

    def steer(self, verb: str, who: Any, **options: Any) -> dict[str, Any]:
        """What became of an order for others, by name."""
        self._check_not_copied("orders nobody")
        return self._link.asking.steer(verb, who, **options)

    def _check_not_copied(self, what: str) -> None:
        if self.post.is_copy:
            raise WrongProcess(f"this is a forked copy of {self.name}: it {what}")

    def ref_of(self, name: str) -> ActorRef[Any] | GroupRef[Any]:
        """The actor, or group, of that name; raises UnknownActor."""
        found = [ActorRef[Any](self.system_id, uid, bears) for uid, bears in self.post.seek(check_name(name))]
        return found[0] if found[0].name == name else GroupRef(name, found)

    def refs_of(self, pattern: str) -> list[ActorRef[Any]]:
        """The living actors that a glob means."""
        return [ActorRef(self.system_id, uid, name) for uid, name in self.post.seek(pattern)]

    def _takes_messages(self) -> Serving:
        self._check_not_copied("takes no messages, and answers none")
        return self.attend() if self.serving is None else self.serving

    def attend(self) -> Serving:
        """From now on there is something to be done after each section, though its hooks take its messages."""
        self.serving = self.begin_serving()
        self.attending.append(self.serving.attend)
        return self.serving

    def watch(self, who: Any) -> None:
        """As `Process.watch`."""
        self._check_not_copied("watches nobody")
        self._link.asking.steer("watch", self._watched(who, "watch"))

    def unwatch(self, who: Any) -> None:
        """As `Process.unwatch`."""
        self._check_not_copied("watches nobody")
        refs = self._watched(who, "unwatch")
        last = self._link.asking.steer("unwatch", refs).get("number")
        for ref in refs:
            self._link.vigil.drop(ref.uid, int(last or 0))

    @property
    def outside(self) -> Abroad:
        """Where refs look, and wait."""
        self._check_not_copied("waits for nobody")
        if self._abroad is None:
            from understudy.engine.abroad import Abroad  # for those who do

            self._abroad = Abroad(self.name, self._link.asking, self._halt, self._sections)
        return self._abroad

    def _watched(self, who: Any, verb: str) -> list[ActorRef[Any]]:
        refs: list[Any] = [who] if isinstance(who, ActorRef) else list(who) if isinstance(who, Iterable) else [None]
        if not all(isinstance(ref, ActorRef) for ref in refs):
            raise ConfigError(f"{verb}({shown(who)}): give the ref of an actor or a group, or a list of refs")
        if any(ref == self.ref for ref in refs):
            raise WrongProcess(f"{self.name} cannot {verb} itself: whoever handles its end has to outlive it")
        return refs

    def checkpoint(self, process: Any) -> None:
        """Keep its state for the lives that follow; returns when the parent has it."""
        if threading.current_thread() is not threading.main_thread():
            raise WrongProcess(f"checkpoint() is for the hooks of {self.name}: amid another thread it may change")
        if self.post.is_copy:
            raise WrongProcess(f"this is a forked copy of {self.name}: its state is not the actor's")
        config = part_of(process).config
        blob = dumps(process, "self", config)
        if len(blob) > config.limits.checkpoint:
            limit = config.limits.checkpoint
            raise TooLarge(f"the checkpoint of {self.name} has {len(blob)} bytes; limits.checkpoint allows {limit}")
        self._checkpoints += 1
        self._outbox.say(Checkpoint(self._checkpoints, self._outbox.tag([blob]), (blob,)))
        self._link.wait_kept(self._checkpoints)

    def progress(self, percent: float | None, note: str | None) -> None:
        """Tell how far the work is."""
        self._link.progress(Progress(percent, note))
