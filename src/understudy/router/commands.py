"""Commands to running actors that leave them what they are: a part of `ActorSystem`."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

from understudy.router import verbs


class Commands(ABC):
    """Give orders by name, glob, ref, or an iterable of these."""

    @abstractmethod
    def _give(self, order: verbs.Order) -> dict[str, str]:
        """Carry it out in the router's thread."""

    def pause(self, who: Any) -> dict[str, str]:
        """Let actors stand still at their next check, as `ActorRef.pause`; ``{name: "asked"|"already"|"ended"}``.

        Raises UnknownActor for an unknown name; a glob without a match gives ``{}``.
        """
        return self._give(verbs.Pausing(who))

    def resume(self, who: Any) -> dict[str, str]:
        """Let them go on, as `ActorRef.resume`."""
        return self._give(verbs.Resuming(who))
