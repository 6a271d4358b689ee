"""Kinds of object, each taken to a fresh interpreter by an actor and used there; every kind has a verdict of its own.

Actors import this module, so nothing here may need pytest.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from understudy import ActorSystem, Process, UnderstudyError


@dataclass(frozen=True)
class Kind:
    """``make`` it here, in a folder; ``use`` it there, which ``gives`` a value; ``here`` it ``stays`` what it was."""

    name: str
    make: Callable[[Path], Any]
    use: Callable[[Any], Any]
    gives: Any
    here: Callable[[Any], Any] | None = None
    stays: Any = None


class Carrier(Process):
    """It uses what it carries, each thing by itself."""

    def __init__(self, cargo: dict[str, tuple[Any, Callable[[Any], Any]]]) -> None:
        self.cargo = cargo
        self.said: dict[str, tuple[str, Any]] = {}
        self.config.num_loops = 1

    def __loop__(self) -> None:
        for name, (thing, use) in self.cargo.items():
            try:
                self.said[name] = ("used", use(thing))
            except BaseException as error:
                self.said[name] = ("failed", f"{type(error).__name__}: {error}")

    def __result__(self) -> dict[str, tuple[str, Any]]:
        return self.said


def carry(kinds: Sequence[Kind], folder: Path, host: str = "spawn") -> dict[str, str]:
    """What is wrong with each kind, by its name; "" where nothing is."""
    made, verdicts = {}, {}
    for number, kind in enumerate(kinds):
        place = folder / str(number)
        place.mkdir()
        made[kind.name] = kind.make(place)
    with ActorSystem() as system:
        said = _said(system, {kind.name: (made[kind.name], kind.use) for kind in kinds}, host)
    for kind in kinds:
        word, value = said[kind.name]
        stayed = kind.here(made[kind.name]) if kind.here else None
        if word != "used":
            verdicts[kind.name] = f"{word}: {value}"
        elif value != kind.gives:
            verdicts[kind.name] = f"gave {value!r}, not {kind.gives!r}"
        elif kind.here and stayed != kind.stays:
            verdicts[kind.name] = f"is {stayed!r} here, not {kind.stays!r}"
        else:
            verdicts[kind.name] = ""
    for thing in made.values():
        if isinstance(thing, ctypes.CDLL):
            continue  # what it has of that name is a function of C
        if callable(close := getattr(thing, "close", None)):
            close()
    return verdicts


def _said(system: ActorSystem, cargo: dict[str, Any], host: str) -> dict[str, tuple[str, Any]]:
    try:
        return dict(system.spawn(Carrier, cargo, host=host).result(60))
    except UnderstudyError as error:
        if len(cargo) == 1:
            return {name: ("lost", f"{type(error).__name__}: {error}") for name in cargo}
    # One of them took the others along: each by itself then, so that it is the only one to fail.
    return {name: _said(system, {name: one}, host)[name] for name, one in cargo.items()}
