"""What an actor wants of the parent's router, and waits for: actors of its own, and ends of others."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, Any

from understudy.engine.halt import GLANCE
from understudy.errors import ConfigError, TooLarge, kind_named
from understudy.group import GroupRef
from understudy.ref import ActorRef
from understudy.settings import LONGEST, shown
from understudy.wire.messages import Answered, Spawn, Steer

if TYPE_CHECKING:
    from collections.abc import Sequence

    from understudy.targets import Wanted


class Asking:
    """One life's wants; any of its threads may use it.

    Who waits is answered, or ends with this process: the router's end is its own. How long that may take is for the
    section's timeout to say.
    """

    def __init__(self, system: str, say: Callable[[Any], None], tag: Callable[[Sequence[Any]], bytes | None]) -> None:
        self._system, self._say, self._tag = system, say, tag
        self._numbers = itertools.count(1)
        self._asked: dict[int, Callable[[Answered], None]] = {}

    def spawn(self, wanted: Wanted, *, link: bool, most: int) -> ActorRef[Any] | GroupRef[Any]:
        """The ref of what is spawned; raises what the router has against it, TooLarge beyond so many bytes."""
        from understudy.spawners.specs import packed

        frame = packed(wanted.spec)
        if len(frame) > most:
            raise TooLarge(
                f"{wanted.spec.command} has {len(frame)} bytes with its settings and surroundings; "
                f"limits.spawn allows {most}"
            )
        value = self._ask(lambda request: Spawn(request, wanted.name, wanted.count, link, self._tag([frame]), (frame,)))
        uid, name = int(value["uid"]), str(value["name"])
        if wanted.count is None:
            return ActorRef(self._system, uid, name)
        # They were admitted together, so their numbers follow one another.
        members = ((uid + place, f"{name}/{place + 1}") for place in range(wanted.count))
        return GroupRef(name, [ActorRef[Any](self._system, *member) for member in members])

    def steer(self, verb: str, who: Any, *, grace: object = None, drain: object = False) -> dict[str, str]:
        """A word for each that is meant, by name; raises UnknownActor, ConfigError."""
        if grace is not None and (isinstance(grace, bool) or not isinstance(grace, int | float)):
            raise ConfigError(f"grace must be seconds from 0 on, or None; got {shown(grace)}")
        grace = min(grace, LONGEST) if isinstance(grace, int) else grace
        if not isinstance(drain, bool):
            raise ConfigError(f"drain must be True or False; got {shown(drain)}")
        meant = self._meant(who)
        return self._ask(lambda request: Steer(request, verb, meant, grace, drain))

    def look(self, uid: int) -> dict[str, Any]:
        """The row of an actor; raises UnknownActor."""
        return self._ask(lambda request: Steer(request, "info", [uid], None, drain=False))

    def until(self, verb: str, uid: int, tell: Callable[[Answered], None]) -> None:
        """Have that called, in the link's thread, when the actor has ended, or was READY; returns when that is heard.

        By then it was called if it is so already. Raises UnknownActor, WrongProcess.
        """
        request, told = next(self._numbers), SimpleQueue[Answered]()

        def put(answer: Answered) -> None:
            if not answer.more:
                self._asked.pop(request, None)
                tell(answer)
            told.put(answer)

        self._asked[request] = put
        self._say(Steer(request, verb, [uid], None, drain=False))
        answer = _next(told)
        if answer.error:
            raise kind_named(answer.error)(answer.text)

    def answered(self, answer: Answered) -> None:
        """What the router says; of who has given up meanwhile nothing is left to tell."""
        put = self._asked.get(answer.request)
        if put is not None:
            put(answer)

    def _ask(self, make: Callable[[int], Any]) -> dict[str, Any]:
        request, told = next(self._numbers), SimpleQueue[Answered]()
        self._asked[request] = told.put
        try:
            self._say(make(request))
            value: dict[str, Any] = {}
            while True:
                answer = _next(told)
                if answer.error:
                    raise kind_named(answer.error)(answer.text)
                value |= answer.value
                if not answer.more:
                    return value
        finally:
            del self._asked[request]

    def _meant(self, who: Any) -> list[int | str]:
        if isinstance(who, str):
            return [str.__str__(who)]
        if isinstance(who, ActorRef):
            if who.system_id != self._system:
                raise ConfigError(f"{who!r} is no actor of this system")
            return [who.uid]
        try:
            return [one for part in who for one in self._meant(part)]
        except TypeError:
            raise ConfigError(
                f"{shown(who)} names no actor: give a name, a glob, a ref, or one iterable of these"
            ) from None


def _next(told: SimpleQueue[Answered]) -> Answered:
    """The next answer; a signal is heeded also if it came just before the wait."""
    while True:
        try:
            return told.get(timeout=GLANCE)
        except Empty:
            continue
