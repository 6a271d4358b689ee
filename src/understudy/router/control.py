"""The control socket: a closed list of verbs, msgpack only, an answer to every request."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from understudy.errors import ProtocolError, UnderstudyError
from understudy.lifecycle.actor import Actor
from understudy.router import verbs
from understudy.router.listing import info, summary
from understudy.router.sampling import Sampler, Surveyor
from understudy.router.watch import Watch
from understudy.router.world import World
from understudy.settings import shown
from understudy.status import ActorInfo, Health
from understudy.wire.codec import VERSION, pack, unpack
from understudy.wire.sockets import MAX_CONTROL, Frames

_LONGEST_PATTERN = 1024


class Control:
    """Answers clients."""

    def __init__(self, world: World, watch: Watch, sampler: Sampler, surveyor: Surveyor) -> None:
        self._world, self._watch = world, watch
        self._sampler, self._surveyor = sampler, surveyor

    def take(self, frames: Frames) -> None:
        """One request; if it asks for figures that are too old, it is answered when others have measured them."""
        number: Any = None
        try:
            request = unpack(frames[-1], MAX_CONTROL)
            if not isinstance(request, dict):
                raise ProtocolError("a request is a map of v, id, verb and the verb's fields")
            number = _number(request)
            version, verb = request.get("v"), request.get("verb")
            if version != VERSION:
                raise ProtocolError(f"the request is of protocol version {shown(version)}, this is {VERSION}")
            act = VERBS.get(verb) if isinstance(verb, str) else None
            if act is None:
                raise ProtocolError(f"{shown(verb)} is no verb; verbs are {', '.join(VERBS)}")
            measured = MEASURED[verb](self, request) if verb in MEASURED else []
        except UnderstudyError as error:
            self._refuse(frames, number, error)
            return

        def answer() -> None:
            self._answer(frames, number, lambda: act(self, request))

        due = [actor for actor in measured if self._sampler.is_due(actor)]
        if not (due and self._surveyor.take(due, answer)):
            answer()

    def _answer(self, frames: Frames, number: Any, act: Callable[[], Any]) -> None:
        try:
            answer = {"v": VERSION, "id": number, "ok": True, "value": act()}
        except UnderstudyError as error:
            self._refuse(frames, number, error)
        else:
            self._world.hub.reply(frames[:-1], pack(answer))

    def _refuse(self, frames: Frames, number: Any, error: UnderstudyError) -> None:
        if isinstance(error, ProtocolError):
            self._world.dropped += 1
        answer = {"v": VERSION, "id": number, "ok": False, "error": type(error).__name__, "text": str(error)}
        self._world.hub.reply(frames[:-1], pack(answer))

    def _snapshot(self, _: dict[str, Any]) -> dict[str, Any]:
        return {"system": self._world.system, "seq": self._world.publisher.seq, "actors": self._rows(all_=False)}

    def _ps(self, request: dict[str, Any]) -> list[dict[str, Any]]:
        return self._rows(all_=bool(request.get("all")))

    def _info(self, request: dict[str, Any]) -> dict[str, Any]:
        return info(self._world, self._watch, self._named(request)).to_dict()

    def _healthy(self, request: dict[str, Any]) -> bool:
        return info(self._world, self._watch, self._named(request)).health is Health.HEALTHY

    def _summary(self, _: dict[str, Any]) -> dict[str, Any]:
        return summary(self._world, self._watch).to_dict()

    def _stop(self, request: dict[str, Any]) -> dict[str, str]:
        return verbs.Stopping(_name(request), request.get("grace")).do(self._world)

    def _kill(self, request: dict[str, Any]) -> dict[str, str]:
        return verbs.Killing(_name(request)).do(self._world)

    def _restart(self, request: dict[str, Any]) -> dict[str, str]:
        return verbs.Restarting(_name(request), request.get("grace")).do(self._world)

    def _rows(self, *, all_: bool) -> list[dict[str, Any]]:
        actors = self._world.registry.listed() if all_ else self._world.registry.living()
        return [_brief(info(self._world, self._watch, actor)) for actor in actors]

    def _named(self, request: dict[str, Any]) -> Actor:
        return self._world.registry.find(_name(request))

    def _living(self, _: dict[str, Any]) -> list[Actor]:
        return self._world.registry.living()


def _brief(row: ActorInfo) -> dict[str, Any]:
    """A row among many: without lap times and errors one by one."""
    stats = None if row.stats is None else replace(row.stats, recent=(), error_events=())
    return replace(row, stats=stats).to_dict()


def _number(request: dict[str, Any]) -> Any:
    number = request.get("id")
    if not isinstance(number, int | float | str | bytes | None):
        raise ProtocolError(f"field 'id' comes back with the reply; it cannot be {shown(number)}")
    return number


def _name(request: dict[str, Any]) -> str:
    name = request.get("name")
    if not isinstance(name, str) or len(name) > _LONGEST_PATTERN:
        raise ProtocolError(f"field 'name' must be text of at most {_LONGEST_PATTERN} characters, not {shown(name)}")
    return name


VERBS: dict[str, Callable[[Control, dict[str, Any]], Any]] = {
    "snapshot": Control._snapshot,  # noqa: SLF001 - the class's own table
    "ps": Control._ps,  # noqa: SLF001
    "info": Control._info,  # noqa: SLF001
    "healthy": Control._healthy,  # noqa: SLF001
    "summary": Control._summary,  # noqa: SLF001
    "stop": Control._stop,  # noqa: SLF001
    "kill": Control._kill,  # noqa: SLF001
    "restart": Control._restart,  # noqa: SLF001
}

MEASURED: dict[str, Callable[[Control, dict[str, Any]], list[Actor]]] = {
    "ps": Control._living,  # noqa: SLF001
    "info": lambda control, request: [control._named(request)],  # noqa: SLF001
    "healthy": lambda control, request: [control._named(request)],  # noqa: SLF001
    "summary": Control._living,  # noqa: SLF001
}
"""Whose figures a verb tells."""
