"""What the groups of settings are made of: fields that are checked once, when they are set.

Every field is declared in one place, by `option`: its type, default, bounds and a sentence about it. The checks, the
error texts and the list of all options derive from those declarations.

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
from dataclasses import MISSING, Field, field, fields
from difflib import SequenceMatcher
from functools import cache
from numbers import Integral, Real
from reprlib import Repr
from types import NoneType
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Self, TypeVar, get_args, get_origin, get_type_hints

from understudy.errors import ConfigError, UnknownField

_T = TypeVar("_T")
_S = TypeVar("_S", bound="Settings")

SECONDS = "seconds"
LONGEST = 1_000_000_000  # seconds; beyond some 9e9 the standard library's waits overflow
_LARGEST = 2**63 - 1  # what an integer on the wire holds in any language
_NAMED = 3

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


def span(default: float | None, doc: str, none: str = "no limit") -> float | None:
    """Declare a field that holds a time of more than no seconds, or None."""
    return option(default, doc, unit=SECONDS, above=0, none=none)


class Rule:
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
        if self.unit == SECONDS:
            self.ceiling = LONGEST

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
        """Its sentence, with the unit."""
        return f"{self.doc} In {self.unit}." if self.unit else self.doc

    def wanted(self) -> str:
        """What would be right, for an error's text."""
        if self.group is not None:
            names = [f"{self.path}.{one.name}" for one in fields(self.group)]  # type: ignore[arg-type]  # groups are dataclasses
            more = ", …" if len(names) > _NAMED else ""
            return f"of type {self.group.__name__}, or set its fields: {', '.join(names[:_NAMED])}{more}"
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

    at: ClassVar[str] = ""  # where the group stands in the whole
    whole: ClassVar[type[Settings]]  # what all groups are part of: names are looked for there

    def _set(self, name: str, value: object) -> None:
        rule = rules_of(type(self)).get(name)
        if rule is None:
            raise unknown(self.at, name)
        object.__setattr__(self, name, rule.stored(value))

    if not TYPE_CHECKING:  # a visible __setattr__ would make type checkers allow any name
        __setattr__ = _set

    def __delattr__(self, name: str) -> None:
        if name not in rules_of(type(self)):
            raise unknown(self.at, name)
        raise ConfigError(f"{_join(self.at, name)} cannot be deleted; set it to another value")

    def __copy__(self) -> Self:
        """Which shares the groups in it."""
        made = object.__new__(type(self))
        made.__dict__.update(self.__dict__)
        return made

    def __reduce__(self) -> tuple[Any, ...]:
        """What is as usual need not travel."""
        usual = _usual(type(self)).__dict__
        told = {name: value for name, value in self.__dict__.items() if name not in usual or value != usual[name]}
        return _arrived, (type(self), told)

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        """Without checking anew what is stored."""
        made = memo[id(self)] = object.__new__(type(self))
        made.__dict__.update(
            (name, copy.deepcopy(value, memo) if isinstance(value, Settings) else value)
            for name, value in self.__dict__.items()
        )
        return made

    def replace(self, **overrides: Any) -> Self:
        """A deep, independent copy with these fields set; checked like an assignment."""
        made = copy.deepcopy(self)
        for name, value in overrides.items():
            setattr(made, name, own(value))
        return made

    def to_dict(self) -> dict[str, Any]:
        """All fields as plain values (None, bool, int, float, str, dict): msgpack, TOML, JSON."""
        values = {name: getattr(self, name) for name in rules_of(type(self))}
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
            rule = rules_of(cls).get(name)
            setattr(made, str(name), rule.group.from_dict(value) if rule and rule.group else value)
        return made

    def __repr__(self) -> str:
        usual = type(self)()
        values = {name: getattr(self, name, None) for name in rules_of(type(self))}  # None: half built, in a debugger
        told = (f"{name}={value!r}" for name, value in values.items() if value != getattr(usual, name))
        return f"{type(self).__name__}({', '.join(told)})"


def check_timeout(value: object) -> float | None:
    """The seconds that a wait may take, None for as long as it takes; ConfigError for what is no number of seconds."""
    if value is None:
        return None
    try:
        seconds = math.nan if isinstance(value, bool) or not isinstance(value, Real) else float(value)
    except OverflowError:
        seconds = LONGEST
    if math.isnan(seconds):
        raise ConfigError(f"timeout must be a number of seconds, or None; got {shown(value)}")
    return min(max(seconds, 0.0), LONGEST)


def check_progress(done: Any, total: Any) -> float | None:
    """Percent, of ``done`` or of its share of ``total``; raises ConfigError for what is not from 0 to 100."""
    try:
        percent = None if done is None else float(done) if total is None else 100.0 * done / total
    except (TypeError, ValueError, ZeroDivisionError) as error:
        raise ConfigError(f"progress({done!r}, {total!r}): {error}") from None
    if percent is not None and not 0 <= percent <= 100:  # noqa: PLR2004 - percent
        raise ConfigError(f"progress is from 0 to 100 percent, not {percent:g}")
    return percent


def check_delay(verb: str, value: object, least: float) -> float:
    """The seconds of a timer that the verb sets; ConfigError for what is no finite number of them, or out of bounds."""
    seconds = _number(float, value)
    if seconds is None or not least <= seconds <= LONGEST:
        bounds = f"at least {_figure(least)} and at most {LONGEST}"
        raise ConfigError(f"{verb}() takes a finite number of seconds, {bounds}; got {shown(value)}")
    return float(seconds)


def shown(value: object) -> str:
    """The value's repr, shortened; its type where it has no usable one."""
    try:
        return _brief.repr(value)
    except Exception:  # noqa: BLE001 - whatever a foreign __repr__ raises must not hide the error being told
        return f"<{type(value).__name__}>"


_usuals: dict[type, Settings] = {}


def usual(kind: type[_S]) -> _S:
    """Settings of a kind with all their defaults: a copy, for these need no check each time."""
    return copy.deepcopy(_usual(kind))


def _usual(kind: type[_S]) -> _S:
    made = _usuals.get(kind)
    if made is None:
        made = _usuals[kind] = kind()
    return made  # type: ignore[return-value]  # each is of the kind that it stands for


def _arrived(kind: type[_S], told: dict[str, Any]) -> _S:
    made = usual(kind)
    made.__dict__.update(told)
    return made


_known: dict[type, dict[str, Rule]] = {}


def rules_of(owner: type[Settings]) -> dict[str, Rule]:
    """The rule of each field of a group."""
    rules = _known.get(owner)
    if rules is None:
        hints = get_type_hints(owner)
        declared: tuple[Field[Any], ...] = fields(owner)  # type: ignore[arg-type]
        rules = _known[owner] = {each.name: Rule(owner, each, hints[each.name]) for each in declared}
    return rules


def walk(owner: type[Settings]) -> list[Rule]:
    """The rules of a group, and of the groups in it, in the order of declaration."""
    found = []
    for rule in rules_of(owner).values():
        found.append(rule)
        if rule.group is not None:
            found.extend(walk(rule.group))
    return found


@cache
def paths() -> tuple[str, ...]:
    """The dotted path of every setting and group, in the order of declaration."""
    return tuple(rule.path for rule in walk(Settings.whole))


def unknown(at: str, name: object) -> UnknownField:
    """The error for a name that is no field, with the path whose last part is nearest, and its group's name next."""
    group, _, last = _join(at, str(name)).rpartition(".")

    def likeness(path: str) -> tuple[float, float]:
        known_group, _, known = path.rpartition(".")
        return SequenceMatcher(None, last, known).ratio(), SequenceMatcher(None, group, known_group).ratio()

    nearest = max(paths(), key=likeness)
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


def own(value: object) -> object:
    """The value, a group of settings as a copy that nobody else holds."""
    return copy.deepcopy(value) if isinstance(value, Settings) else value


def _figure(limit: float) -> str:
    return str(limit) if isinstance(limit, int) else f"{limit:g}"


def _join(at: str, name: str) -> str:
    return f"{at}.{name}" if at else name
