"""Remote: look at and steer the actors of a running system by name, from any process, here or elsewhere."""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterable, Mapping
from types import TracebackType
from typing import Any, Self

from understudy.config import live_options
from understudy.errors import ConfigError
from understudy.logs import Logs
from understudy.observe.client import Client
from understudy.settings import shown
from understudy.status import ActorInfo, ActorTable, Summary

Names = str | Iterable[str]


class Remote:
    """A controller of a running system.

    ``endpoint`` is what ``ActorSystem.endpoint`` says, or the system's name; or ``tcp://HOST:PORT``, where a system on
    another machine has a gate (`ActorSystem.control_at`), with ``key``, the file of a key that it knows. Verbs for many
    take a name, a glob or an iterable of these; `stop`, `kill`, `restart`, `pause` and `resume` give
    ``{name: "asked" | "already" | "ended"}``. A call that raises WaitTimeout, for the system does not answer within
    ``timeout`` seconds (None: as long as it takes), may have been heard all the same. After `close`, and where the
    system has gone, it is SystemClosed. Raises UnknownActor for an unknown name or system, ConfigError for what is no
    name, and AccessDenied where the key is refused, or does not allow it.
    """

    def __init__(
        self, endpoint: str, *, key: str | os.PathLike[str] | None = None, timeout: float | None = 10.0
    ) -> None:
        self._client = Client(endpoint, key=key, timeout=timeout)

    def hello(self) -> dict[str, Any]:
        """Who answers: ``system`` (its id), ``name``, ``pid``, ``version``, ``protocol``, ``started_at``.

        A gate tells more: ``user`` and ``role``, that of the key, and ``endpoint`` and ``stream``, its own.
        """
        return dict(self._client.ask("hello"))

    def stop(self, name: Names, *, grace: float | None = None, drain: bool = False) -> dict[str, str]:
        """Ask for a stop; ``grace`` and ``drain`` as in `ActorRef.stop`."""
        return self._order("stop", name=_names(name), grace=grace, drain=drain)

    def kill(self, name: Names) -> dict[str, str]:
        """SIGKILL, with all that it started."""
        return self._order("kill", name=_names(name))

    def restart(self, name: Names, *, grace: float | None = None) -> dict[str, str]:
        """Stop, then begin anew from the original state; for who had ``ended``, under a new uid."""
        return self._order("restart", name=_names(name), grace=grace)

    def pause(self, name: Names) -> dict[str, str]:
        """Stand still at the next check, as `ActorRef.pause`."""
        return self._order("pause", name=_names(name))

    def resume(self, name: Names) -> dict[str, str]:
        """Go on."""
        return self._order("resume", name=_names(name))

    def configure(self, name: Names, options: Mapping[str, Any]) -> dict[str, str]:
        """Set options while they run, as `ActorRef.configure`; raises ConfigError and UnknownField as that."""
        return self._order("configure", name=_names(name), options=live_options(options))

    def shutdown(self, *, force: bool = False) -> dict[str, str]:
        """End every actor, by its ladder or with ``force`` by SIGKILL, and close the system.

        It is answered at once; the end is the ``bye`` on the status stream.
        """
        return self._order("shutdown", force=force)

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

    def story(self, name: str) -> list[str]:
        """The last 50 steps of an actor's life as the router saw them, a line each."""
        return list(self._client.ask("story", name=_text(name)))

    def stacks(self, name: Names = "*") -> dict[str, str]:
        """Where all threads of actors stand now, as `ActorRef.stacks`, by name."""
        return dict(self._client.ask("stacks", name=_names(name)))

    def logs(self, name: Names = "*", *, lines: int = 100, after: dict[str, Any] | None = None) -> Logs:
        """What actors wrote and logged: the last ``lines`` (1 to 10,000) of each of their streams.

        With ``after``, the cursor of a former answer, what came since, so that nothing is told twice. Lines of stdout
        and stderr are of actors with ``output="file"``; of others a first answer has the last lines of stderr.
        """
        return Logs.from_dict(self._client.ask("logs", name=_names(name), lines=lines, after=after))

    def close(self) -> None:
        """Close the connection; the system is not touched."""
        self._client.close()

    def _order(self, verb: str, **fields: Any) -> dict[str, str]:
        # Under a number of its own it is done once, however often it has to be asked for.
        return dict(self._client.ask(verb, request=uuid.uuid4().hex, **fields))

    def __repr__(self) -> str:
        return f"<Remote of {self._client.endpoint}>"

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _names(names: object) -> str | list[str]:
    if isinstance(names, str):
        return names
    if isinstance(names, Iterable) and not isinstance(names, bytes | bytearray | memoryview):
        return [_text(name) for name in names]
    return _text(names)


def _text(name: object) -> str:
    if not isinstance(name, str):
        raise ConfigError(f"{shown(name)} names no actor here: a remote takes a name or a glob; a ref has it as .name")
    return name
