"""Where a system is: on this machine, of this user, or behind a gate somewhere else."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from understudy.errors import ConfigError
from understudy.observe import rundir
from understudy.settings import shown
from understudy.wire.sockets import Credentials, Route, local

if TYPE_CHECKING:
    from understudy.wire.keyring import Key

_FAR = re.compile(r"tcp://(?P<host>\[[0-9A-Fa-f:.%a-z]+\]|[^\s:/\[\]*]+):(?P<port>\d{1,5})")
_HIGHEST_PORT = 65_535


@dataclass(frozen=True, slots=True)
class Here:
    """A system on this machine."""

    endpoint: str
    directory: str

    def route(self) -> Route:
        """Its sockets."""
        return local(self.directory)

    def may_live(self) -> bool:
        """Whether the process whose system that is still lives."""
        return rundir.is_served(self.directory)


@dataclass(frozen=True, slots=True)
class There:
    """A system behind a gate, for the holder of a key."""

    endpoint: str
    host: str
    key: Key

    def route(self) -> Route:
        """Its control socket, which tells the port of the other."""
        return Route(self.endpoint, None, Credentials(self.key.pair, self.key.server))

    def stream(self, port: int) -> str:
        """The address of the status stream."""
        return f"tcp://{self.host}:{port}"

    def may_live(self) -> bool:
        """Nobody can tell from here: a line that is cut may be mended."""
        return True


Place = Here | There


def place_of(endpoint: str, key: str | os.PathLike[str] | None) -> Place:
    """The place of that endpoint; ``key`` is the file of the client's key, for what is reached over TCP.

    Raises ConfigError for what is neither a name nor an endpoint, and where a key is missing or is none; UnknownActor
    where no such system runs here; AccessDenied where others can read the key.
    """
    if not str(endpoint).startswith("tcp:"):
        if key is not None:
            raise ConfigError(f"key={shown(key)}: a key is for tcp://HOST:PORT; {shown(endpoint)} is on this machine")
        return Here(endpoint, rundir.resolve(endpoint))
    found = _FAR.fullmatch(endpoint)
    if found is None or not 0 < int(found["port"]) <= _HIGHEST_PORT:
        raise ConfigError(f"{shown(endpoint)} is no endpoint: write tcp://HOST:PORT, an IPv6 address in brackets")
    if key is None:
        raise ConfigError(
            f"{endpoint} needs a key: give key=FILE, which its owner makes by "
            "`understudy keys new NAME --role observer`"
        )
    # Late, for only who speaks to a network needs it.
    from understudy.wire.keyring import read_key

    return There(endpoint, found["host"], read_key(key))
