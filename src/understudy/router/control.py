"""The control socket: a closed table of verbs, msgpack only, an answer to every request."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from understudy.config import live_options
from understudy.errors import ProtocolError, UnderstudyError
from understudy.observe.journal import PAGE
from understudy.router import requests
from understudy.router.desk import Desk, answered
from understudy.router.errands import Outcome
from understudy.router.fields import GRACE, NAME, NAMES, Field, Refused, a_flag, a_number_from, read, read_id, read_key
from understudy.router.outputs import MOST_LINES, a_cursor
from understudy.router.remembered import OWN_ERROR, Remembered
from understudy.router.replies import Replies
from understudy.settings import shown
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


VERBS: Mapping[str, Verb] = {
    "hello": Verb(requests.hello),
    "snapshot": Verb(requests.snapshot),
    "replay": Verb(
        requests.replay,
        {
            "since": Field("integer", a_number_from(0, _LARGEST_SEQ)),
            "limit": Field("integer", a_number_from(1, PAGE), PAGE),
        },
    ),
    "ps": Verb(requests.ps, {"all": Field("boolean", a_flag, default=False)}),
    "info": Verb(requests.info, {"name": NAME}),
    "healthy": Verb(requests.healthy, {"name": NAME}),
    "summary": Verb(requests.summary),
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


class Control:
    """Reads requests and answers them."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._remembered = Remembered()
        self._replies = Replies(desk.world.hub, desk.world.timers)

    def take(self, frames: Frames) -> None:
        """One request; it is answered now, or when its answer is there."""
        *envelope, body = frames
        if len(envelope) > _ENVELOPE_FRAMES or sum(map(len, envelope)) > _ENVELOPE_BYTES:
            self._desk.world.dropped += 1
            return
        number: Any = None
        try:
            request = _request(body)
            number = read_id(request)
            verb, act = _verb(request)
            key, values = read_key(request), read(verb, act.fields, request)

            def do() -> Any:
                return act.act(self._desk, **values)

            if key is not None and act.changes:
                answer = self._remembered.answer(key, verb, values, lambda: answered(do))
            else:
                answer = answered(do)
        except Refused as refusal:
            self._refuse(envelope, number, refusal)
        except Exception:
            self._refuse(envelope, number, Refused(UnderstudyError(OWN_ERROR), "refused"))
            raise
        else:
            answer.then(lambda outcome: self._tell(envelope, number, outcome))

    def _tell(self, envelope: Frames, number: Any, outcome: Outcome) -> None:
        if outcome.error is not None:
            self._refuse(envelope, number, Refused(outcome.error, "refused"))
        else:
            self._reply(envelope, {"v": VERSION, "id": number, "ok": True, "value": outcome.value})

    def _refuse(self, envelope: Frames, number: Any, refusal: Refused) -> None:
        if isinstance(refusal.error, ProtocolError):
            self._desk.world.dropped += 1
        error = {"error": type(refusal.error).__name__, "text": str(refusal.error)}
        why = {"reason": refusal.reason, "field": refusal.field}
        self._reply(envelope, {"v": VERSION, "id": number, "ok": False, **error, **why})

    def _reply(self, envelope: Frames, reply: dict[str, Any]) -> None:
        self._replies.send(envelope, pack(reply))


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
