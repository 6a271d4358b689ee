"""What zygotes are to learn, and when: decided from what actors had to import, and from how lessons went."""

from __future__ import annotations

from dataclasses import dataclass, field

from understudy.spawners.trial import package_of

_REST = 10
"""Times as long as a lesson took: learning never takes more than a tenth of a core."""
_REST_AT_MOST = 300.0
_MOST = 500
"""Modules of a lesson: those whose imports began first bring the others."""


@dataclass(slots=True)
class Curriculum:
    """The modules that are wanted and not known, for the place where they were wanted last."""

    refused: dict[str, str] = field(default_factory=dict)
    """Packages that cannot be shared by forks, and why."""
    place: bytes = b""
    _wanted: dict[str, None] = field(default_factory=dict)
    _rest_until: float = 0.0
    _fruitless: int = 0

    def want(self, place: bytes, modules: list[str]) -> None:
        """A child of that place had to import these."""
        if place != self.place:
            self.place, self._wanted = place, {}
        self._wanted.update(dict.fromkeys(modules))

    def due(self) -> float | None:
        """When the next lesson may begin; None if there is nothing to learn."""
        return self._rest_until if self._wanted else None

    def lesson(self, known: set[str], now: float) -> list[str]:
        """The modules to learn now; none while it is too early or nothing is left."""
        if now < self._rest_until:
            return []
        wanted = [name for name in self._wanted if name not in known and package_of(name) not in self.refused]
        self._wanted = dict.fromkeys(wanted)
        return wanted[:_MOST]

    def learned(self, took: float, now: float, *, fruitful: bool) -> None:
        """A lesson went well; ``fruitful`` unless it undoes one that was of no use to anybody."""
        self._fruitless = 0 if fruitful else self._fruitless + 1
        self._rest(took, now)

    def failed(self, packages: dict[str, str], took: float, now: float) -> None:
        """A lesson went wrong for these packages; what else was wanted is tried without them."""
        self.refused.update(packages)
        self._fruitless = 0
        self._rest(took, now)

    def _rest(self, took: float, now: float) -> None:
        self._rest_until = now + min(_REST_AT_MOST, _REST * took * 2**self._fruitless)
