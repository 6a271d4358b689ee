"""The marks on methods that take messages, and what a class makes of them."""

from __future__ import annotations

import types
import typing
from collections.abc import Callable, Iterator, Mapping
from typing import Any, TypeVar

from understudy.callables import generates, name_of, signature_of
from understudy.errors import NotAnActor
from understudy.settings import shown

_F = TypeVar("_F", bound=Callable[..., Any])

_RECEIVES = "__understudy_receives__"
_REMOTE = "__understudy_remote__"

UNMARKED: set[type] = {object}
"""Classes of which it is known that nothing in them is marked. To look at a function for its mark makes a dict of its
attributes, and in an actor there would be one for each function of these."""


def receives(*kinds: Any) -> Callable[[_F], _F]:
    """Mark a method as the handler of messages of these classes: ``@receives(Add, Remove)``.

    A message goes to the handler of its class, else to that of its nearest base class (abstract ones count, too), else
    to ``__receive__``. What the handler returns is the reply; it may be ``async def``. Marks are inherited: a method
    that overrides a handler is one, for the same classes unless it is marked anew, and a subclass's handler goes before
    its base's for the same class. A union stands for its members, None for its class.

    Raises at that line: TypeError without classes, for what is no class, and for a function that takes no message;
    NotAnActor for a generator. Two handlers of one class in the same body raise NotAnActor.
    """
    found = tuple(dict.fromkeys(_classes(kinds)))
    if not found:
        raise TypeError("receives needs the classes of messages: write @receives(Add) or @receives(Add, Remove)")

    def mark(function: _F) -> _F:
        _check(function, "@receives")
        _check_takes_message(function, "@receives")
        function.__dict__[_RECEIVES] = found
        return function

    return mark


def callable_remotely(function: _F) -> _F:
    """Mark a method that others may call by `ActorRef.call`: ``@callable_remotely``; it may be ``async def``.

    The mark is inherited; a method that overrides a marked one bears it. Raises at that line: TypeError for what is no
    method and for a name with a leading underscore, NotAnActor for a generator.
    """
    _check(function, "@callable_remotely")
    name = name_of(function)
    if name.rpartition(".")[2].startswith("_"):
        raise TypeError(f"@callable_remotely: {name} is private by its name; give it one without an underscore")
    function.__dict__[_REMOTE] = True
    return function


def marks_of(cls: type) -> tuple[dict[type, str], set[str]]:
    """Which method of a class handles which type of message, and which methods are callable remotely."""
    kinds: dict[type, str] = {}
    remote: set[str] = set()
    for base in reversed(cls.__mro__):
        if base in UNMARKED and not (kinds or remote):  # else it may stand before what is marked in another
            continue
        own: dict[type, str] = {}
        for name, value in vars(base).items():
            marked: tuple[type, ...] = _mark(value, _RECEIVES) or ()
            if marked or not _may_be_called(value):
                kinds = {kind: handler for kind, handler in kinds.items() if handler != name}
            for kind in marked:
                if kind in own and vars(base)[own[kind]] is not value:
                    raise NotAnActor(
                        f"{base.__qualname__}.{own[kind]} and .{name} both receive {kind.__qualname__}; one of them may"
                    )
                own[kind] = name
            if _mark(value, _REMOTE):
                remote.add(name)
            elif not _may_be_called(value):
                remote.discard(name)
        kinds |= own
    return kinds, remote


def refuse_generators(cls: type) -> None:
    """Raise NotAnActor for a marked method that is a generator, as one becomes by being overridden."""
    kinds, remote = marks_of(cls)
    for name in (*kinds.values(), *remote):
        _refuse_generator(cls.__qualname__, name, getattr(cls, name))


def refuse_receive_without_message(body: Mapping[str, Any]) -> None:
    """Raise TypeError for a ``__receive__`` or ``__terminated__`` in this body that cannot be called with one thing."""
    for name in ("__receive__", "__terminated__"):
        found = body.get(name)
        if isinstance(found, types.FunctionType):  # of other objects, as descriptors, it isn't known what they'll take
            _check_takes_message(found, name)


def methods_of(cls: type) -> set[str]:
    """The names of all methods that take messages."""
    kinds, remote = marks_of(cls)
    return {*kinds.values(), *remote, *(["__receive__"] if callable(getattr(cls, "__receive__", None)) else [])}


def _classes(kinds: tuple[Any, ...]) -> Iterator[type]:
    for kind in kinds:
        if kind is None:
            yield types.NoneType
        elif typing.get_origin(kind) in {types.UnionType, typing.Union}:
            yield from _classes(typing.get_args(kind))
        else:
            if not isinstance(kind, type) or kind is Any:
                raise TypeError(f"receives needs the classes of messages, as in @receives(Add); {shown(kind)} is none")
            try:
                issubclass(object, kind)
            except TypeError as error:  # a Protocol of attributes, or one without `runtime_checkable`
                raise TypeError(f"receives cannot look for {shown(kind)}: {error}") from None
            yield kind


def _check(function: Any, decorator: str) -> None:
    if not callable(function) or isinstance(function, type | staticmethod | classmethod):
        what = "a class" if isinstance(function, type) else f"a {type(function).__name__}"
        raise TypeError(f"{decorator} marks methods; {shown(function)} is {what}")
    _refuse_generator(decorator, name_of(function), function)


def _check_takes_message(function: Callable[..., Any], what: str) -> None:
    taken = signature_of(function)
    if taken is not None:
        try:
            taken.bind(None, None)
        except TypeError as error:
            raise TypeError(f"{what}: {name_of(function)} is to take self and a message; {error}") from None


def _refuse_generator(owner: str, name: str, function: object) -> None:
    if generates(function):
        raise NotAnActor(f"{owner}: {name} is a generator: calling it would run nothing of it; take the yield out")


def _mark(value: object, mark: str) -> Any:
    """A mark of a class's attribute, which may be an object that answers to every name."""
    held = getattr(value.__func__ if isinstance(value, staticmethod | classmethod) else value, "__dict__", None)
    return held.get(mark) if type(held) is dict else None


def _may_be_called(value: object) -> bool:
    return callable(value) or isinstance(value, staticmethod | classmethod)
