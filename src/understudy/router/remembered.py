"""Requests that were met already, by their keys: asked again after a lost reply, they are answered, not done again."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from understudy.errors import ProtocolError, UnderstudyError
from understudy.router.desk import Later
from understudy.router.errands import Outcome
from understudy.router.fields import Refused
from understudy.wire.codec import pack

KEPT = 1_000
KEPT_BYTES = 4 << 20
"""Bytes of all remembered replies together; the newest is remembered whatever it weighs."""
_OWN = 200  # of one that weighs nothing
OWN_ERROR = "the system met an error of its own; its log has it"


@dataclass(slots=True)
class _Met:
    """One request and what came of it."""

    asked: bytes
    answer: Later
    weight: int = _OWN


class Remembered:
    """The last requests that bore a key."""

    def __init__(self) -> None:
        self._met: dict[str, _Met] = {}
        self._weight = 0

    def answer(self, key: str, verb: str, values: dict[str, Any], do: Callable[[], Later]) -> Later:
        """What came of the request of that key; if there was none, it is met now. Raises Refused for another's key."""
        asked = hashlib.blake2b(pack([verb, values]), digest_size=16).digest()
        met = self._met.get(key)
        if met is None:
            met = self._met[key] = _Met(asked, Later())
            self._weight += met.weight
            self._bound()
            self._meet(key, met, do)
        elif met.asked != asked:
            text = f"field 'request' {key!r} was the key of another request; a key is for one, and its repetitions"
            raise Refused(ProtocolError(text), "field", "request")
        return met.answer

    def _meet(self, key: str, met: _Met, do: Callable[[], Later]) -> None:
        """Do it; remembered before, for what fails midway by a defect of ours must not be done a second time either."""
        met.answer.then(lambda outcome: self._weigh(key, met, outcome))
        try:
            do().then(met.answer.give)
        except Exception:
            met.answer.give(Outcome(error=UnderstudyError(OWN_ERROR)))
            raise

    def _weigh(self, key: str, met: _Met, outcome: Outcome) -> None:
        if self._met.get(key) is not met:
            return  # it was too long ago
        weight = len(pack(outcome.value)) if outcome.error is None else len(str(outcome.error))
        met.weight += weight
        self._weight += weight
        self._bound()

    def _bound(self) -> None:
        while len(self._met) > KEPT or (self._weight > KEPT_BYTES and len(self._met) > 1):
            oldest = next(iter(self._met))
            self._weight -= self._met.pop(oldest).weight
