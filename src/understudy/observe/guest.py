"""What a client keeps of its visit to a gate: where the stream is, and the ticket of this connection."""

from __future__ import annotations

from typing import Any

from understudy.errors import ProtocolError
from understudy.settings import shown

MOST_TICKETS = 3
"""For one request: who is sent for another ticket again and again will not be served."""


class Guest:
    """Of one gate; pure."""

    def __init__(self) -> None:
        self.port: int | None = None
        """Where the status stream is, once that is known."""
        self._ticket: str | None = None
        self._number = 0

    @property
    def is_known(self) -> bool:
        """Whether there is a ticket."""
        return self._ticket is not None

    def welcomed(self, hello: Any) -> None:
        """The gate has said who it is, and who we are. Raises ProtocolError where it said neither."""
        port, ticket = (hello.get("stream"), hello.get("ticket")) if isinstance(hello, dict) else (None, None)
        if not isinstance(port, int) or not isinstance(ticket, str):
            raise ProtocolError(f"a gate says where its stream is, and gives a ticket; this one says {shown(hello)}")
        self.port, self._ticket = port, ticket

    def ticket(self) -> dict[str, Any]:
        """What a request needs that changes something; another number each time, be the ticket another or not."""
        self._number += 1
        return {"ticket": [self._ticket, self._number]}

    def lost(self) -> None:
        """The ticket is good no more: it was of another connection."""
        self._ticket = None
