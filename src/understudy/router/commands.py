"""Commands to running actors that leave them what they are: a part of `ActorSystem`."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any

from understudy.router import verbs


class Commands(ABC):
    """Give orders by name, glob, ref, or an iterable of these."""

    @abstractmethod
    def _give(self, order: verbs.Order) -> dict[str, str]:
        """Carry it out in the router's thread."""

    def configure(self, who: Any, options: Mapping[str, Any]) -> dict[str, str]:
        """Set options of actors while they run, as `ActorRef.configure`; ``{name: "asked"|"already"|"ended"}``.

        Raises UnknownActor for an unknown name, and what `ActorRef.configure` raises.
        """
        return self._give(verbs.Configuring(who, options))

    def pause(self, who: Any) -> dict[str, str]:
        """Let actors stand still at their next check, as `ActorRef.pause`; ``{name: "asked"|"already"|"ended"}``.

        Raises UnknownActor for an unknown name; a glob without a match gives ``{}``.
        """
        return self._give(verbs.Pausing(who))

    def resume(self, who: Any) -> dict[str, str]:
        """Let them go on, as `ActorRef.resume`."""
        return self._give(verbs.Resuming(who))
