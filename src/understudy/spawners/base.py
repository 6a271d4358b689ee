"""The public Protocols of spawning, and the values that cross them."""

from __future__ import annotations

import os
import socket
from dataclasses import dataclass, field
from typing import Any, Protocol

from understudy.lifecycle.spec import Spec
from understudy.spawners.signals import name_of
from understudy.status import Usage
from understudy.wire.codec import pack, unpack
from understudy.wire.page import anonymous_file

ENGINE = "understudy.engine.boot"
"""The `Engine`, by its dotted name: spawners do not import it."""

_MAX_HEAD = 64 << 20


def to_file(name: str, *parts: bytes) -> int:
    """A descriptor of an anonymous file with these bytes, whatever their size; the caller closes it."""
    fd = anonymous_file(name)
    for part in parts:
        view = memoryview(part)
        while view:
            view = view[os.write(fd, view) :]
    return fd


def from_file(fd: int) -> bytearray:
    """All bytes of the file; closes the descriptor."""
    data = bytearray(os.fstat(fd).st_size)
    view = memoryview(data)
    at = 0
    while at < len(data) and (got := os.preadv(fd, [view[at:]], at)):
        at += got
    os.close(fd)
    return data


class Engine(Protocol):
    """What a zygote runs, and what its forks do."""

    def rehearse(self) -> None:
        """In the zygote: do what is remembered once it is done, so that no fork has to."""
        ...

    def enter_wings(self, directory: str) -> Any:
        """Make ready for any part; None if nobody is left to act for."""
        ...

    def play_through(self) -> None:
        """While there is time: play a life through before one's own."""
        ...

    def live(self, page_fd: int, birth_fd: int, wings: Any = None) -> int:
        """Be one incarnation of an actor; the exit code."""
        ...


class Target(Protocol):
    """What to run. ``label`` is the stem of a generated name."""

    @property
    def label(self) -> str:
        """The stem of a generated name."""
        ...

    def spec(self, overrides: dict[str, Any]) -> Spec:
        """Build and serialize the target, in the caller; ``overrides`` are dotted settings over its own.

        Raises NotAnActor, ConfigError, UnknownField or SerializationError, and whatever a constructor raises.
        """
        ...


@dataclass(frozen=True, slots=True)
class Birth:
    """Everything that one incarnation needs to begin; it reaches the child in an anonymous file."""

    system: str
    system_name: str
    uid: int
    incarnation: int
    name: str
    directory: str
    key: bytes = field(repr=False)
    host: str
    program: bool
    """Whether the blob says which program to become, and is no pickle."""
    lives_left: int
    rites: dict[str, Any] | None
    """The crash that the last rites are held for, if this incarnation is born for them."""
    modules: tuple[str, ...]
    place: bytes = field(repr=False)
    levels: bytes = field(repr=False)
    terminal: str | None
    output: str | None
    """The directory of its own files for stdout and stderr; None: it has the parent's."""
    settings: dict[str, Any]
    """What was configured since the spawn, by dotted paths."""
    blob: bytes = field(repr=False)

    def to_file(self) -> int:
        """A descriptor of an anonymous file with all of it; the caller closes it."""
        head = pack(
            [
                self.system,
                self.system_name,
                self.uid,
                self.incarnation,
                self.name,
                self.directory,
                self.key,
                self.host,
                self.program,
                self.lives_left,
                self.rites,
                self.modules,
                self.place,
                self.levels,
                self.terminal,
                self.output,
                self.settings,
            ]
        )
        return to_file("understudy-birth", len(head).to_bytes(8, "little"), head, self.blob)

    @classmethod
    def from_file(cls, fd: int) -> Birth:
        """The reverse; closes the descriptor."""
        view = memoryview(from_file(fd))
        head = 8 + int.from_bytes(view[:8], "little")
        values = [*unpack(view[8:head], _MAX_HEAD), bytes(view[head:])]
        return cls(*values)


@dataclass(frozen=True, slots=True)
class Born:
    """A process came to be."""

    uid: int
    incarnation: int
    pid: int


@dataclass(frozen=True, slots=True)
class NotBorn:
    """None came to be; ``lost`` if only the messenger died and the request may be made again."""

    uid: int
    incarnation: int
    reason: str
    lost: bool = False


@dataclass(frozen=True, slots=True)
class Gone:
    """A process ended. Both codes None: nobody could tell how."""

    uid: int
    incarnation: int
    exit_code: int | None
    signal: str | None
    usage: Usage | None
    left: tuple[str, ...] = ()
    """Of a program: what it left behind beyond its process group, each by name and number."""

    @classmethod
    def by_code(
        cls, uid: int, incarnation: int, code: int | None, usage: Usage | None, left: tuple[str, ...] = ()
    ) -> Gone:
        """From a code that is negative for a signal, None where nobody could tell."""
        if code is None or code >= 0:
            return cls(uid, incarnation, code, None, usage, left)
        return cls(uid, incarnation, None, name_of(-code), usage, left)


@dataclass(frozen=True, slots=True)
class Executed:
    """A process has become the program that it was to be; ``notices`` is where that says that it is ready, if it may.

    Whoever hears of it closes that.
    """

    uid: int
    incarnation: int
    notices: socket.socket | None = None
    starts: dict[str, int] = field(default_factory=dict)
    """Of its files for stdout and stderr: at which byte it begins to write."""


@dataclass(frozen=True, slots=True)
class NotExecuted:
    """It could not; it ends. ``kind`` is the name of the exception."""

    uid: int
    incarnation: int
    kind: str
    reason: str


@dataclass(frozen=True, slots=True)
class Remarked:
    """Something that did not keep it from that, to be told."""

    uid: int
    incarnation: int
    text: str


News = Born | NotBorn | Gone | Executed | NotExecuted | Remarked


class Spawner(Protocol):
    """How processes come to be. All calls are made by the router's thread, but the last two; only these may wait."""

    swept: list[int]
    """What actors had left behind and was ended, by its numbers; taken out by who reads it."""

    def fileno(self) -> int:
        """A descriptor that is readable when there is news."""
        ...

    def fork(self, birth: Birth, page_fd: int) -> None:
        """Ask for a process; the answer is news."""
        ...

    def learn(self, place: bytes, modules: list[str]) -> None:
        """A child of that place had to import these modules, in that order, to open its state."""
        ...

    def news(self, now: float) -> list[News]:
        """What has happened since."""
        ...

    def due(self) -> float | None:
        """When `news` wants to be called even if the descriptor is silent (monotonic clock)."""
        ...

    def signal(self, uid: int, number: int) -> bool:
        """Send a signal to the actor's process; False if there is none any more."""
        ...

    def signal_group(self, uid: int, number: int) -> None:
        """Send a signal to the process group that the actor's process leads; nothing where there is none any more."""
        ...

    def pid(self, uid: int) -> int | None:
        """The process of the actor, while it has one."""
        ...

    def pidfd(self, uid: int) -> int | None:
        """The pidfd of that process, the spawner's to close; None where the platform has none."""
        ...

    def forget(self, uid: int) -> None:
        """The actor's process is buried: free what was held for it, sweep what it left."""
        ...

    def abandon(self) -> None:
        """In a forked copy of the parent: hold nothing, end nothing."""
        ...

    def close(self) -> None:
        """Everything has ended: end too."""
        ...
