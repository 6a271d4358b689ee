"""What clients ask for: a closed table of verbs, msgpack only, an answer to every request."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from understudy.config import live_options
from understudy.errors import ProtocolError, UnderstudyError
from understudy.observe.journal import PAGE
from understudy.router import requests
from understudy.router.desk import Desk, Later, answered
from understudy.router.errands import Outcome
from understudy.router.fields import GRACE, NAME, NAMES, Field, Refused, a_flag, a_number_from, read, read_id, read_key
from understudy.router.outputs import MOST_LINES, a_cursor
from understudy.router.peers import Peer
from understudy.router.remembered import OWN_ERROR, Remembered
from understudy.settings import shown
from understudy.status import Role
from understudy.wire.codec import VERSION, pack, unpack
from understudy.wire.sockets import MAX_CONTROL, Frames

_ENVELOPE_FRAMES, _ENVELOPE_BYTES = 16, 16 << 10
"""Of what stands before a request, which goes back before its reply and waits with that."""
_LARGEST_SEQ = 2**63 - 1


@dataclass(frozen=True, slots=True)
class Verb:
    """What is done, the fields that it takes, and whether that ``changes`` anything: then a key makes it once.

    ``act`` is called in the router's thread with the desk and the checked fields as keywords. It gives a value that
    msgpack carries, or raises an UnderstudyError; where that would have to be waited for, or takes long, it gives a
    `Later` that another round of the router fills, be it with what the thread of `Errands` brings.
    """

    act: Callable[..., Any]
    fields: Mapping[str, Field] = field(default_factory=dict)
    changes: bool = False
    least: Role = Role.CONTROLLER
    """The least role that does, where somebody asks over a network."""


VERBS: Mapping[str, Verb] = {
    "hello": Verb(requests.hello, least=Role.OBSERVER),
    "snapshot": Verb(requests.snapshot, least=Role.OBSERVER),
    "replay": Verb(
        requests.replay,
        {
            "since": Field("integer", a_number_from(0, _LARGEST_SEQ)),
            "limit": Field("integer", a_number_from(1, PAGE), PAGE),
        },
        least=Role.OBSERVER,
    ),
    "ps": Verb(requests.ps, {"all": Field("boolean", a_flag, default=False)}, least=Role.OBSERVER),
    "info": Verb(requests.info, {"name": NAME}, least=Role.OBSERVER),
    "healthy": Verb(requests.healthy, {"name": NAME}, least=Role.OBSERVER),
    "summary": Verb(requests.summary, least=Role.OBSERVER),
    "story": Verb(requests.story, {"name": NAME}),
    "stop": Verb(
        requests.stop,
        {"name": NAMES, "grace": GRACE, "drain": Field("boolean", a_flag, default=False)},
        changes=True,
    ),
    "kill": Verb(requests.kill, {"name": NAMES}, changes=True),
    "restart": Verb(requests.restart, {"name": NAMES, "grace": GRACE}, changes=True),
    "pause": Verb(requests.pause, {"name": NAMES}, changes=True),
    "resume": Verb(requests.resume, {"name": NAMES}, changes=True),
    "configure": Verb(requests.configure, {"name": NAMES, "options": Field("map", live_options)}, changes=True),
    "logs": Verb(
        requests.logs,
        {
            "name": NAMES,
            "lines": Field("integer", a_number_from(1, MOST_LINES), 100),
            "after": Field("map or nil", a_cursor, None),
        },
    ),
    "stacks": Verb(requests.stacks, {"name": NAMES}),
    "shutdown": Verb(requests.shutdown, {"force": Field("boolean", a_flag, default=False)}, changes=True),
}
"""All verbs, in the order of the page."""


@dataclass(slots=True)
class _Asked:
    """One request, as far as it was read."""

    peer: Peer
    envelope: Frames
    number: Any = None
    verb: str = ""
    whom: Any = None
    changes: bool = False


class Control:
    """Reads requests and answers them, whoever asks."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._remembered: dict[str, Remembered] = {}

    def take(self, peer: Peer, frames: Frames) -> None:
        """One request; it is answered now, or when its answer is there."""
        *envelope, body = frames
        if not _is_bounded(envelope):
            self._desk.world.dropped += 1
            return
        asked = _Asked(peer, envelope)
        try:
            request = _request(body)
            asked.number = read_id(request)
            peer.enter()
            answer = self._meet(asked, request)
        except Refused as refusal:
            self._refuse(asked, refusal)
        except Exception:
            self._refuse(asked, Refused(UnderstudyError(OWN_ERROR), "refused"))
            raise
        else:
            answer.then(lambda outcome: self._tell(asked, outcome))

    def turn_away(self, peer: Peer, frames: Frames, refusal: Refused) -> None:
        """Refuse a request without reading it."""
        *envelope, _ = frames
        if _is_bounded(envelope):
            self._refuse(_Asked(peer, envelope), refusal)

    def forget(self, user: str) -> None:
        """That user asks no more."""
        self._remembered.pop(user, None)

    def _meet(self, asked: _Asked, request: dict[str, Any]) -> Later:
        peer = asked.peer
        asked.verb, act = _verb(request)
        asked.whom, asked.changes = request.get("name"), act.changes
        peer.allow(asked.verb, act.least)
        key, values = read_key(request), read(asked.verb, act.fields, request, peer.head)

        def do() -> Any:
            return act.act(self._desk, **values)

        if not act.changes:
            return answered(do)
        peer.spend(request)
        if key is None:
            return answered(do)
        remembered = self._remembered.setdefault(peer.user, Remembered())
        return remembered.answer(key, asked.verb, values, lambda: answered(do))

    def _tell(self, asked: _Asked, outcome: Outcome) -> None:
        if outcome.error is not None:
            self._refuse(asked, Refused(outcome.error, "refused"))
            return
        if asked.changes:
            asked.peer.did(asked.verb, asked.whom, outcome.value)
        try:
            value = asked.peer.shown(asked.verb, outcome.value)
        except Refused as refusal:
            self._refuse(asked, refusal)
            return
        self._reply(asked, {"v": VERSION, "id": asked.number, "ok": True, "value": value})

    def _refuse(self, asked: _Asked, refusal: Refused) -> None:
        error = refusal.error
        if isinstance(error, ProtocolError):
            self._desk.world.dropped += 1
        if refusal.reason != "refused":
            asked.peer.refused(asked.verb, asked.whom, refusal)
        elif asked.changes:
            asked.peer.did(asked.verb, asked.whom, f"{type(error).__name__}: {error}")
        told = {"error": type(error).__name__, "text": str(error), "reason": refusal.reason, "field": refusal.field}
        self._reply(asked, {"v": VERSION, "id": asked.number, "ok": False, **told})

    def _reply(self, asked: _Asked, reply: dict[str, Any]) -> None:
        asked.peer.send(asked.envelope, pack(reply))


def _is_bounded(envelope: Frames) -> bool:
    return len(envelope) <= _ENVELOPE_FRAMES and sum(map(len, envelope)) <= _ENVELOPE_BYTES


def _request(body: Any) -> dict[str, Any]:
    try:
        request = unpack(body, MAX_CONTROL)
    except ProtocolError as error:
        raise Refused(error, "malformed") from None
    if not isinstance(request, dict) or not all(isinstance(key, str) for key in request):
        raise Refused(
            ProtocolError("a request is a map of v, id, verb and the verb's fields, keys as text"), "malformed"
        )
    return request


def _verb(request: dict[str, Any]) -> tuple[str, Verb]:
    version, verb = request.get("v"), request.get("verb")
    if type(version) is not int or version != VERSION:
        text = f"the request is of protocol version {shown(version)}, this is {VERSION}"
        raise Refused(ProtocolError(text), "version", "v")
    found = VERBS.get(verb) if isinstance(verb, str) else None
    if found is None:
        raise Refused(ProtocolError(f"{shown(verb)} is no verb; verbs are {', '.join(VERBS)}"), "verb", "verb")
    return str(verb), found
