"""What a user hung on an object of a class of the standard library, or of one derived from it: it goes along."""

from __future__ import annotations

import copyreg
import sys
from collections.abc import Collection
from typing import Any

State = tuple[dict[str, Any], dict[str, Any]]
_unset = object()


def along(reduced: tuple[Any, ...], obj: Any, theirs: Collection[str] = ()) -> tuple[Any, ...]:
    """The reduction of a function and its arguments, with what is hung on the object; ``theirs`` is made anew."""
    state = own(obj, theirs)
    items = (*reduced[3:5], None, None)[:2]
    return (*reduced[:2], state, *items, hang) if any(state) else reduced


def own(obj: Any, theirs: Collection[str] = ()) -> State:
    """Attributes in its dict but ``theirs``, and in slots but those of the standard library."""
    attributes = {name: value for name, value in getattr(obj, "__dict__", {}).items() if name not in theirs}
    kind = type(obj)
    standard = next(base for base in kind.__mro__ if base.__module__.partition(".")[0] in sys.stdlib_module_names)
    known = set(slots(standard))
    found = {name: held(obj, name) for name in slots(kind) if name not in known}
    return attributes, {name: value for name, value in found.items() if value is not _unset}


def hang(made: Any, state: State) -> None:
    """The attributes on another object of its class, without asking the class."""
    attributes, in_slots = state
    if attributes:
        vars(made).update(attributes)
    for name, value in in_slots.items():
        object.__setattr__(made, name, value)


def renewed(kind: Any, base: Any, args: tuple[Any, ...]) -> Any:
    """A new object of a class, set up as its base of the standard library is."""
    made = kind.__new__(kind)
    base.__init__(made, *args)
    return made


def slots(kind: type) -> list[str]:
    """The names of its slots and its bases', as attributes are called."""
    return copyreg._slotnames(kind)  # type: ignore[attr-defined,no-any-return]  # noqa: SLF001


def held(obj: Any, name: str) -> Any:
    """What is in a slot, past a __getattr__ of its class."""
    try:
        return object.__getattribute__(obj, name)
    except AttributeError:
        return _unset


def is_set(obj: Any, name: str) -> bool:
    """Whether anything is in a slot."""
    return held(obj, name) is not _unset
