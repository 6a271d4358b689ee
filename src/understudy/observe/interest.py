"""What an observer wants to hear of: which actors, which kinds of events; and what it subscribes to for that."""

from __future__ import annotations

from collections.abc import Iterable

from understudy.errors import ConfigError
from understudy.globs import Globs, is_glob, stem
from understudy.settings import shown

KINDS = (
    "state", "laps", "progress", "health", "figures", "restart", "held", "pause", "group", "report", "dead_letter",
    "log",
)  # fmt: skip
"""The kinds of events that a system sends."""
WITHHELD = "withheld"
"""The kind that an event has for those who may know no more than that there was one."""
SHOWING = frozenset({"state", "laps", "progress", "health", "pause", "figures"})
"""Those that say where an actor stands: followed in any case, for the table of actors is made of them."""
EVERYTHING = b""
_ABOUT_NONE = b"|"
_FIGURES = b"|figures"
"""Whoever subscribes to this topic has the system measure; nothing is sent under it."""
LONGEST = 1_024
"""Characters of a name or glob."""


class Interest:
    """``names``: names or globs, None for all actors; ``kinds``: None for all but figures. Raises ConfigError."""

    def __init__(self, names: str | Iterable[str] | None, kinds: str | Iterable[str] | None) -> None:
        self.names = None if names is None else tuple(map(_name, _each("names", names)))
        self.kinds = None if kinds is None else frozenset(map(_kind, _each("kinds", kinds)))
        self._globs = Globs(self.names or ())
        self.topics = self._topics()

    @property
    def whole(self) -> bool:
        """Whether everything arrives, so that no number may be left out."""
        return EVERYTHING in self.topics

    @property
    def figures(self) -> bool:
        """Whether figures are asked for, which the system measures for those only who do."""
        return self.kinds is not None and "figures" in self.kinds

    def knows(self, name: str) -> bool:
        """Whether that actor is followed."""
        return self.names is None or self._globs.mean(name)

    def wants(self, kind: str) -> bool:
        """Whether events of that kind are handed on."""
        return kind not in {"figures", WITHHELD} if self.kinds is None else kind in self.kinds

    def shows(self, kind: str) -> bool:
        """Whether events of that kind belong into the table of actors."""
        return kind in SHOWING and (kind != "figures" or self.figures)

    def _topics(self) -> frozenset[bytes]:
        if self.names is None:
            wanted = {EVERYTHING}
        else:
            wanted = {_topic(name) for name in self.names}
            wanted = {EVERYTHING} if EVERYTHING in wanted else wanted | {_ABOUT_NONE}
        return frozenset(wanted | {_FIGURES} if self.figures else wanted)


def _topic(name: str) -> bytes:
    """The topic of an actor, or what the topics of all that fit a glob begin with."""
    return (stem(name) if is_glob(name) else f"{name}|").encode(errors="surrogatepass")


def _each(what: str, given: object) -> tuple[object, ...]:
    if isinstance(given, str):
        return (given,)
    if not isinstance(given, Iterable) or isinstance(given, bytes):
        raise ConfigError(f"{what} must be a text, or several; got {shown(given)}")
    return tuple(given)


def _name(given: object) -> str:
    if not isinstance(given, str) or not 0 < len(given) <= LONGEST:
        raise ConfigError(f"{shown(given)} names no actor here: give a name or a glob; a ref has it as .name")
    return given


def _kind(given: object) -> str:
    if not isinstance(given, str) or given not in KINDS:
        raise ConfigError(f"{shown(given)} is no kind of event; there are {', '.join(KINDS)}")
    return given
