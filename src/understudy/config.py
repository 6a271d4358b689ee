"""The settings of an actor: plain dataclasses whose fields are checked once, when they are set.

Every field is declared in one place, by `option`: its type, default, bounds and a sentence about it. The checks, the
error texts, `options()` and with it command line flags and TOML keys all derive from those declarations.

Reading a field is reading a plain attribute. Setting one raises at that line:

* `UnknownField` for a name that does not exist, with the nearest one that does;
* `ConfigError` for a value of the wrong type (a bool is no number), for NaN and infinity, and for what is out of
  bounds; it names the field's path, the value, and what would be right.

Whole numbers are taken where fractions are meant and stored as floats. All times are in seconds.
"""

from __future__ import annotations

import copy
import math
import operator
from collections.abc import Mapping
from dataclasses import MISSING, Field, dataclass, field, fields
from difflib import SequenceMatcher
from functools import cache
from numbers import Integral, Real
from reprlib import Repr
from types import NoneType
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Self, TypeVar, get_args, get_origin, get_type_hints

from understudy.errors import ConfigError, UnknownField

_T = TypeVar("_T")

_SECONDS = "seconds"
_LONGEST = 1_000_000_000  # seconds; beyond some 9e9 the standard library's waits overflow
_LARGEST = 2**63 - 1  # what an integer on the wire holds in any language

_LIKE = 0.6  # difflib's own idea of a close match

_HOLDS = {"above": operator.gt, "at least": operator.ge, "at most": operator.le}

_brief = Repr()
_brief.maxstring = _brief.maxother = 60


def option(
    default: _T,
    doc: str,
    *,
    unit: str = "",
    above: float | None = None,
    least: float | None = None,
    most: float | None = None,
    none: str = "",
) -> _T:
    """Declare a field of a `Settings` class: bounds (`above` excludes its own value), and what None means."""
    limits = {"above": above, "at least": least, "at most": most}
    bounds = {word: limit for word, limit in limits.items() if limit is not None}
    return field(default=default, metadata={"doc": doc, "unit": unit, "bounds": bounds, "none": none})


class _Rule:
    """What may be stored in one field, and how to say so."""

    def __init__(self, owner: type[Settings], declared: Field[Any], annotation: Any) -> None:
        members = get_args(annotation) if NoneType in get_args(annotation) else (annotation,)
        self.path = _join(owner.at, declared.name)
        self.annotation = annotation
        self.kind: Any = next(member for member in members if member is not NoneType)
        self.optional = NoneType in members
        self.choices = get_args(self.kind) if get_origin(self.kind) is Literal else ()
        self.group: type[Settings] | None = None
        if isinstance(self.kind, type) and issubclass(self.kind, Settings):
            self.group = self.kind
        self.default = None if declared.default is MISSING else declared.default
        self.doc: str = declared.metadata.get("doc", "")
        self.unit: str = declared.metadata.get("unit", "")
        self.bounds: dict[str, float] = declared.metadata.get("bounds", {})
        self.none: str = declared.metadata.get("none", "")
        self.ceiling = _LARGEST if self.kind is int else math.inf
        if self.unit == _SECONDS:
            self.ceiling = _LONGEST

    def stored(self, value: object) -> object:
        """The value as it is to be stored; ConfigError where it may not be."""
        if value is None and self.optional:
            return None
        if self.group is not None:
            if isinstance(value, self.group):
                return value
        elif self.choices:
            if isinstance(value, str) and value in self.choices:
                return self.choices[self.choices.index(value)]  # the plain text, where an enum's member is given
        elif self.kind is bool:
            if isinstance(value, bool):
                return value
        else:
            number = _number(self.kind, value)
            if number is not None and number > self.ceiling:
                raise ConfigError(f"{self.path} may be {self.ceiling} at most; got {shown(value)}")
            if number is not None and all(_HOLDS[word](number, limit) for word, limit in self.bounds.items()):
                return number
        raise ConfigError(f"{self.path} must be {self.wanted()}; got {shown(value)}")

    def told(self) -> str:
        return f"{self.doc} In {self.unit}." if self.unit else self.doc

    def wanted(self) -> str:
        if self.group is not None:
            return f"of type {self.group.__name__}"
        if self.choices:
            return "one of " + ", ".join(map(repr, self.choices))
        if self.kind is bool:
            return "True or False"
        noun = "a whole number" if self.kind is int else "a finite number"
        unit = f" of {self.unit}" if self.unit else ""
        limits = " and ".join(f"{word} {_figure(limit)}" for word, limit in self.bounds.items())
        none = f", or None ({self.none})" if self.optional else ""
        return f"{noun}{unit}, {limits}{none}" if limits else f"{noun}{unit}{none}"


class Settings:
    """What all groups of settings have in common; the groups are dataclasses.

    Assigning a group shares it, like any object; `replace` copies.
    """

    at: ClassVar[str] = ""  # where the group stands in a ProcessConfig

    def _set(self, name: str, value: object) -> None:
        rule = _rules(type(self)).get(name)
        if rule is None:
            raise _unknown(self.at, name)
        object.__setattr__(self, name, rule.stored(value))

    if not TYPE_CHECKING:  # a visible __setattr__ would make type checkers allow any name
        __setattr__ = _set

    def __delattr__(self, name: str) -> None:
        if name not in _rules(type(self)):
            raise _unknown(self.at, name)
        raise ConfigError(f"{_join(self.at, name)} cannot be deleted; set it to another value")

    def replace(self, **overrides: Any) -> Self:
        """A deep, independent copy with these fields set; checked like an assignment."""
        made = copy.deepcopy(self)
        for name, value in overrides.items():
            setattr(made, name, _own(value))
        return made

    def to_dict(self) -> dict[str, Any]:
        """All fields as plain values (None, bool, int, float, str, dict): msgpack, TOML, JSON."""
        values = {name: getattr(self, name) for name in _rules(type(self))}
        return {name: value.to_dict() if isinstance(value, Settings) else value for name, value in values.items()}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """The settings that `to_dict` told; what is left out keeps its default.

        Raises UnknownField for an unknown key, ConfigError for a bad value or where a group is not a mapping.
        """
        if not isinstance(values, Mapping):
            raise ConfigError(f"{cls.at or 'config'} must be a mapping of its options; got {shown(values)}")
        made = cls()
        for name, value in values.items():
            rule = _rules(cls).get(name)
            setattr(made, str(name), rule.group.from_dict(value) if rule and rule.group else value)
        return made

    def __repr__(self) -> str:
        usual = type(self)()
        values = {name: getattr(self, name, None) for name in _rules(type(self))}  # None: half built, in a debugger
        told = (f"{name}={value!r}" for name, value in values.items() if value != getattr(usual, name))
        return f"{type(self).__name__}({', '.join(told)})"


def _span(default: float | None, doc: str, none: str = "no limit") -> float | None:
    return option(default, doc, unit=_SECONDS, above=0, none=none)


@dataclass(repr=False)
class Timeouts(Settings):
    """How long each part of an actor's life may take, in seconds; None means for ever."""

    at = "timeouts"

    preloop: float | None = _span(30.0, "Longest run of __preloop__.")
    loop: float | None = _span(300.0, "Longest run of __loop__.")
    postloop: float | None = _span(60.0, "Longest run of __postloop__.")
    onfinish: float | None = _span(60.0, "Longest run of __onfinish__.")
    result: float | None = _span(60.0, "Longest run of __result__.")
    error: float | None = _span(60.0, "Longest run of __error__.")
    receive: float | None = _span(300.0, "Longest run of __receive__ for one message.")
    startup: float | None = _span(30.0, "From the spawn until the actor reports ready.")
    exit: float | None = _span(2.0, "What leftover threads and atexit may delay the end by.")

    def disable(self) -> None:
        """Set every timeout to None, `startup` and `exit` included: nothing is ever cut off."""
        self._become(None)

    def quick(self) -> None:
        """For tests and short work: loop and receive 30 s, startup 10 s, exit 1 s, all others 5 s."""
        self._become(5, loop=30, receive=30, startup=10, exit=1)

    def long(self) -> None:
        """For work of hours: loop and receive 4 h, preloop and startup 5 min, exit 20 s, all others 10 min."""
        self._become(600, loop=14_400, receive=14_400, preloop=300, startup=300, exit=20)

    def _become(self, others: float | None, **values: float) -> None:
        for name in _rules(Timeouts):
            setattr(self, name, values.get(name, others))


@dataclass(repr=False)
class Backoff(Settings):
    """The pause before a restart: none before the first, then base x factor^n up to the cap."""

    at = "restart.backoff"

    base: float = option(0.1, "Pause before the second restart; 0 restarts at once, always.", unit=_SECONDS, least=0)
    factor: float = option(2.0, "What each further pause is multiplied by.", least=1)
    cap: float = option(30.0, "Longest pause, before jitter.", unit=_SECONDS, above=0)
    jitter: float = option(0.2, "Share by which a pause varies at random.", least=0, most=1)
    reset: float = option(10.0, "Healthy run after which pauses begin anew.", unit=_SECONDS, above=0)


@dataclass(repr=False)
class Restart(Settings):
    """When an actor is started again, and how its crashes count."""

    at = "restart"

    policy: Literal["on_crash", "always", "never"] = option(
        "on_crash", "Restart what crashed, also what finished, or nothing."
    )
    backoff: Backoff = field(default_factory=Backoff)
    window: float | None = _span(
        None, "Age from which a crash no longer counts against the lives.", none="every crash counts"
    )


@dataclass(repr=False)
class StopLadder(Settings):
    """What a stop may take: a pause after each rung, and at the end SIGKILL. 0 skips a pause."""

    at = "stop"

    command: float = option(10.0, "From the stop command to SIGTERM.", unit=_SECONDS, least=0)
    term: float = option(5.0, "From SIGTERM to the second SIGTERM.", unit=_SECONDS, least=0)
    term_again: float = option(5.0, "From the second SIGTERM to SIGKILL.", unit=_SECONDS, least=0)


@dataclass(repr=False)
class Heartbeat(Settings):
    """How an actor shows that it lives, and what its silence leads to."""

    at = "heartbeat"

    interval: float = option(2.0, "Time between two heartbeats.", unit=_SECONDS, above=0)
    misses: int = option(3, "Heartbeats missed in a row before silence has consequences.", least=1)
    kill: Literal["auto", "always"] = option(
        "auto", "Whether silence kills only where no section's timeout can decide (auto), or always."
    )


@dataclass(repr=False)
class Limits(Settings):
    """Upper bounds on what an actor may send."""

    at = "limits"

    result: int = option(2**30, "Largest serialized result.", unit="bytes", least=1, most=2**30)


@dataclass(repr=False)
class ProcessConfig(Settings):
    """All settings of one actor."""

    num_loops: int | None = option(None, "Laps in each life.", least=1, none="no limit")
    join_in: float | None = _span(None, "Time from the first readiness to a stop, over all lives and pauses.")
    lives: int = option(1, "Attempts in all: 1 means no restart.", least=1)
    log_laps: bool = option(default=False, doc="Log a DEBUG record with the section times of every lap.")
    timeouts: Timeouts = field(default_factory=Timeouts)
    heartbeat: Heartbeat = field(default_factory=Heartbeat)
    stop: StopLadder = field(default_factory=StopLadder)
    restart: Restart = field(default_factory=Restart)
    limits: Limits = field(default_factory=Limits)

    def override(self, options: Mapping[str, Any]) -> Self:
        """An independent copy with these options set, by dotted path: `{"timeouts.loop": 2.5}`.

        A path may also name a whole group; single options within it are applied after it.
        Raises UnknownField with the nearest path, ConfigError for a bad value.
        """
        if not isinstance(options, Mapping):
            raise ConfigError(f"overrides must be a mapping of dotted paths; got {shown(options)}")
        made = copy.deepcopy(self)
        for path in options:
            if path not in _paths():
                raise _unknown("", path)
        for path in sorted(options, key=lambda known: known.count(".")):
            owner: Settings = made
            *groups, name = path.split(".")
            for group in groups:
                owner = getattr(owner, group)
            setattr(owner, name, _own(options[path]))
        return made


@dataclass(frozen=True, slots=True)
class Option:
    """One setting, as a command line flag or a TOML key needs it.

    `path` is dotted, as `ProcessConfig.override` takes it; `type` the annotation, such as `int | None`; `doc` a
    sentence, with the unit where there is one.
    """

    path: str
    type: Any
    default: bool | int | float | str | None
    doc: str


def options() -> list[Option]:
    """Every single setting, in the order of declaration, groups opened."""
    leaves = (rule for rule in _walk(ProcessConfig) if rule.group is None)
    return [Option(rule.path, rule.annotation, rule.default, rule.told()) for rule in leaves]


def shown(value: object) -> str:
    """The value's repr, shortened; its type where it has no usable one."""
    try:
        return _brief.repr(value)
    except Exception:  # noqa: BLE001 - whatever a foreign __repr__ raises must not hide the error being told
        return f"<{type(value).__name__}>"


_known: dict[type, dict[str, _Rule]] = {}


def _rules(owner: type[Settings]) -> dict[str, _Rule]:
    rules = _known.get(owner)
    if rules is None:
        hints = get_type_hints(owner)
        declared: tuple[Field[Any], ...] = fields(owner)  # type: ignore[arg-type]
        rules = _known[owner] = {each.name: _Rule(owner, each, hints[each.name]) for each in declared}
    return rules


def _walk(owner: type[Settings]) -> list[_Rule]:
    found = []
    for rule in _rules(owner).values():
        found.append(rule)
        if rule.group is not None:
            found.extend(_walk(rule.group))
    return found


@cache
def _paths() -> tuple[str, ...]:
    return tuple(rule.path for rule in _walk(ProcessConfig))


def _unknown(at: str, name: object) -> UnknownField:
    """The error for a name that is no field, with the path whose last part is nearest, and its group's name next."""
    group, _, last = _join(at, str(name)).rpartition(".")

    def likeness(path: str) -> tuple[float, float]:
        known_group, _, known = path.rpartition(".")
        return SequenceMatcher(None, last, known).ratio(), SequenceMatcher(None, group, known_group).ratio()

    nearest = max(_paths(), key=likeness)
    hint = f"; did you mean {nearest!r}?" if likeness(nearest)[0] >= _LIKE else ""
    return UnknownField(f"{at or 'config'} has no field {shown(name)}{hint}")


def _number(kind: type, value: object) -> int | float | None:
    """The value as a finite number of this kind, or None where it is none."""
    if isinstance(value, bool):
        return None
    if kind is int:
        return int(value) if isinstance(value, Integral) else None
    try:
        number = float(value) if isinstance(value, Real) else math.nan
    except OverflowError:
        return None
    return number if math.isfinite(number) else None


def _own(value: object) -> object:
    return copy.deepcopy(value) if isinstance(value, Settings) else value


def _figure(limit: float) -> str:
    return str(limit) if isinstance(limit, int) else f"{limit:g}"


def _join(at: str, name: str) -> str:
    return f"{at}.{name}" if at else name
