"""Actors that one spawn made alike, under one name: whose they are, while any of them is kept."""

from __future__ import annotations

from collections.abc import Container
from dataclasses import dataclass, field

from understudy.lifecycle.names import check_name


@dataclass(slots=True)
class Replicas:
    """By the name of all: their uids, in their order."""

    _uids: dict[str, list[int]] = field(default_factory=dict)

    def make(self, name: str, uids: list[int]) -> None:
        """So many of that name, in the place of any that there were."""
        self._uids[name] = uids

    def make_way(self, name: str) -> None:
        """A single actor takes that name."""
        self._uids.pop(name, None)

    def uids(self, name: str) -> list[int] | None:
        """Those of that name, the ended too; None where there are none."""
        return self._uids.get(name)

    def named(self, name: str) -> list[tuple[int, str]] | None:
        """The same, with their own names."""
        uids = self._uids.get(name) if type(name) is str else None
        return None if uids is None else [(uid, f"{name}/{number}") for number, uid in enumerate(uids, 1)]

    def succeed(self, old: int, name: str, new: int) -> None:
        """One of that name was spawned anew, and takes the place of the ended one."""
        uids = self._uids.get(_name_of_all(name), [])
        if old in uids:
            uids[uids.index(old)] = new

    def forget(self, uid: int, name: str, kept: Container[int]) -> None:
        """One of that name is kept no more: with the last of them all go."""
        uids = self._uids.get(_name_of_all(name), [])
        if uid in uids and not any(other in kept for other in uids):
            del self._uids[_name_of_all(name)]


def names(name: str, count: int) -> list[str]:
    """Those of so many; raises ConfigError."""
    return [check_name(f"{name}/{number}") for number in range(1, count + 1)]


def _name_of_all(name: str) -> str:
    return name.rpartition("/")[0]
