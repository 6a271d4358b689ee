"""Remote: stop, kill and restart the actors of a running system by name, from any process of the same user."""

from __future__ import annotations

from types import TracebackType
from typing import Self

from understudy.errors import ConfigError
from understudy.observe.client import Client
from understudy.settings import shown
from understudy.status import ActorInfo, ActorTable, Summary


class Remote:
    """A controller of a running system.

    ``endpoint`` is what ``ActorSystem.endpoint`` says, or the system's name. Each verb takes a name or a glob and gives
    ``{name: "asked" | "already" | "ended"}``. Raises UnknownActor for an unknown name or system, ConfigError for
    what is no name, WaitTimeout if the system does not answer within ``timeout`` seconds (None: as long as it takes).
    """

    def __init__(self, endpoint: str, *, timeout: float | None = 10.0) -> None:
        self._client = Client(endpoint, timeout=timeout)

    def stop(self, name: str, *, grace: float | None = None) -> dict[str, str]:
        """Ask for a stop; ``grace`` as in `ActorRef.stop`."""
        return dict(self._client.ask("stop", name=_text(name), grace=grace))

    def kill(self, name: str) -> dict[str, str]:
        """SIGKILL, with all that it started."""
        return dict(self._client.ask("kill", name=_text(name)))

    def restart(self, name: str, *, grace: float | None = None) -> dict[str, str]:
        """Stop, then begin anew from the original state."""
        return dict(self._client.ask("restart", name=_text(name), grace=grace))

    def ps(self, *, all: bool = False) -> ActorTable:
        """The living actors; with ``all`` the ended ones too."""
        return ActorTable(ActorInfo.from_dict(row) for row in self._client.ask("ps", all=all))

    def info(self, name: str) -> ActorInfo:
        """One actor."""
        return ActorInfo.from_dict(self._client.ask("info", name=_text(name)))

    def healthy(self, name: str) -> bool:
        """Whether the actor of that name is in health; no glob."""
        return bool(self._client.ask("healthy", name=_text(name)))

    def summary(self) -> Summary:
        """The whole system: counts and sums."""
        return Summary.from_dict(self._client.ask("summary"))

    def close(self) -> None:
        """Close the connection; the system is not touched."""
        self._client.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _text(name: object) -> str:
    if not isinstance(name, str):
        raise ConfigError(f"{shown(name)} names no actor here: a remote takes a name or a glob; a ref has it as .name")
    return name
