"""One actor and what happens to it, driven through the registry: no process, no clock but the one that is told."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from understudy.config import ProcessConfig
from understudy.lifecycle.actor import Actor, Outcome
from understudy.lifecycle.effects import Bury, Effect, Fork, KillFamily, Settle
from understudy.lifecycle.events import Alarm, Died, Errored, Event, Expired, Finishing, Forked, Place, Ready
from understudy.lifecycle.governor import Begun, Governor
from understudy.lifecycle.moment import Moment
from understudy.lifecycle.registry import Registry
from understudy.lifecycle.spec import Spec
from understudy.status import Crash, Status

T = TypeVar("T")

START = 1000.0
IN_LOOP = Place("loop", 17)
SIGSEGV = Died(None, "SIGSEGV", IN_LOOP)
SIGKILLED = Died(None, "SIGKILL", IN_LOOP)
EXIT_0 = Died(0, None, Place("", 17))
EXIT_1 = Died(1, None, Place("", 17))
UNKNOWN = Died(None, None, Place("", 17))
DONE = Finishing("laps done", stop=False)
RESULT = ["a result's message"]
RITES = ["what the rites came to"]


def spec(config: Mapping[str, Any] | None = None, hooks: Iterable[str] = ("loop",), label: str = "indexer") -> Spec:
    """What is to be run; settings by their dotted paths."""
    settings = ProcessConfig().override(config or {})
    return Spec(label, f"texts:{label.title()}", b"the original", b"", b"", settings, frozenset(hooks))


def boom(section: str = "loop", incarnation: int = 1) -> Crash:
    """An exception in a hook, as the child tells it."""
    return Crash("error", incarnation, section=section, lap=17, text="no luck", type_name="RuntimeError")


def overrun_of(section: str) -> Crash:
    """A timeout, as the child tells it."""
    return Crash("timeout", 1, section=section, lap=17, seconds=2.5)


def boot(incarnation: int = 1) -> Crash:
    """The state could not be opened."""
    return Crash("boot", incarnation, phase="opening its state", text="no module", type_name="ImportError")


@dataclass(frozen=True)
class Pass:
    """Not an event: time passes."""

    seconds: float


@dataclass(frozen=True)
class Full:
    """Not an event of its own: its pause is over, and the system has begun as many restarts as it may."""


class Scene:
    """A registry with one actor, `indexer`, uid 1, just spawned."""

    def __init__(
        self, config: Mapping[str, Any] | None = None, hooks: Iterable[str] = ("loop",), *, chance: float = 0.5
    ) -> None:
        self.registry = Registry()
        self.now, self.chance = START, chance
        _, self.effects = self.registry.admit(spec(config, hooks), "indexer", self.moment)
        self.all: list[Effect] = list(self.effects)

    @property
    def moment(self) -> Moment:
        return Moment(self.now, self.chance)

    @property
    def actor(self) -> Actor:
        return self.registry.actors[1]

    @property
    def status(self) -> Status:
        return self.actor.status

    def happens(self, *steps: Event | Pass | Full) -> Scene:
        """One thing after the other; `effects` are those of the last."""
        for step in steps:
            if isinstance(step, Pass):
                self.now += step.seconds
            elif isinstance(step, Full):
                self.registry.governor = Governor(1, (Begun(2, 2, self.now),))
                self.happens(Expired(Alarm.BACKOFF))
            else:
                self.effects = self.registry.apply(1, step, self.moment)
                self.all.extend(self.effects)
        return self

    def does(self, kind: type[T]) -> list[T]:
        """The effects of that kind among the last ones."""
        return [effect for effect in self.effects if isinstance(effect, kind)]

    def did(self, kind: type[T]) -> list[T]:
        """The effects of that kind since the spawn."""
        return [effect for effect in self.all if isinstance(effect, kind)]

    def only(self, kind: type[T]) -> T:
        """The one effect of that kind among the last ones."""
        (effect,) = self.does(kind)
        return effect

    @property
    def outcome(self) -> Outcome:
        """How it ended; fails while it has not."""
        (settled,) = self.did(Settle)
        assert self.status is settled.outcome.status
        return settled.outcome

    @property
    def crash(self) -> Crash:
        """What it ended of."""
        crash = self.outcome.crash
        assert crash is not None
        return crash

    @property
    def forks(self) -> bool:
        return bool(self.does(Fork))

    @property
    def kills(self) -> bool:
        return bool(self.does(KillFamily))

    @property
    def buried(self) -> Bury:
        """The funeral that the last event brought."""
        return self.only(Bury)


def running(config: Mapping[str, Any] | None = None, hooks: Iterable[str] = ("loop",), *, chance: float = 0.5) -> Scene:
    """One that is RUNNING, with pid 7."""
    return Scene(config, hooks, chance=chance).happens(Forked(7), Ready())


def told(crash: Crash, config: Mapping[str, Any] | None = None, hooks: Iterable[str] = ("loop",)) -> Scene:
    """One that was RUNNING and has told its error."""
    return running(config, hooks).happens(Errored(crash))
