"""Tickets: what a request that changes something bears, so that it counts once, on its connection, for its user."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass
from typing import Any

EACH = 64
"""Connections of one user that are remembered, those that asked last; on another one a ticket is asked for again."""
LARGEST = 2**63 - 1
_PARTS = 2


@dataclass(slots=True)
class _Issued:
    text: str
    last: int = -1


class Tickets:
    """Of one gate, as they were issued and used."""

    def __init__(self) -> None:
        self._issued: dict[str, dict[Hashable, _Issued]] = {}

    def issue(self, user: str, connection: Hashable, fresh: str) -> str:
        """The ticket of that user's connection: the one that it has, else the fresh one."""
        issued = self._issued.setdefault(user, {})
        ticket = issued.pop(connection, None) or _Issued(fresh)
        issued[connection] = ticket
        while len(issued) > EACH:
            del issued[next(iter(issued))]
        return ticket.text

    def use(self, user: str, connection: Hashable, given: Any) -> str | None:
        """Use what a request bears; in words why it is not good, None where it was and is used now."""
        if not (isinstance(given, list) and len(given) == _PARTS):
            return "it needs a ticket: an array of the text that hello gave and a number"
        text, number = given
        if not isinstance(text, str) or type(number) is not int or not 0 <= number <= LARGEST:
            return "a ticket is an array of the text that hello gave and an integer from 0"
        ticket = self._issued.get(user, {}).get(connection)
        if ticket is None or ticket.text != text:
            return "its ticket is not one of this connection; hello gives another"
        if number <= ticket.last:
            return f"its ticket's number {number} was used: the last one was {ticket.last}"
        ticket.last = number
        return None

    def forget(self, user: str) -> None:
        """That user may come no more."""
        self._issued.pop(user, None)
