"""Several waits, one after the other."""

from __future__ import annotations

from dataclasses import dataclass, replace

from understudy.errors import ConfigError
from understudy.services.waits import values
from understudy.waiting import Answer, Holds, NotYet, Probe, Subject, Wait, Waiting, check_wait


@dataclass(frozen=True, slots=True, init=False, repr=False)
class All:
    """Holds once each of the waits has held, in this order; what held once is not looked at again.

    Each has its own timeout, from when its turn comes; ``timeout``, in seconds, bounds them together (None: no further
    bound). Raises ConfigError where none is given, or one is no wait.
    """

    waits: tuple[Wait, ...]
    timeout: float | None

    def __init__(self, *waits: Wait, timeout: float | None = None) -> None:
        if not waits:
            raise ConfigError("All.waits must be one or more waits, as All(File('pid'), Port(6390)); got none")
        for number, wait in enumerate(waits):
            check_wait(f"All.waits[{number}]", wait)
        object.__setattr__(self, "waits", waits)
        object.__setattr__(self, "timeout", values.seconds("All.timeout", timeout))

    @property
    def notifies(self) -> bool:
        """Whether one of them is told by the program itself, as `Notified` is."""
        return any(getattr(wait, "notifies", False) for wait in self.waits)

    def start(self, subject: Subject) -> Probe:
        """Begin with the first."""
        return _InTurn(self.waits, subject)

    def __repr__(self) -> str:
        bound = [] if self.timeout is None else [f"timeout={self.timeout!r}"]
        return f"All({', '.join([*map(repr, self.waits), *bound])})"


class _InTurn:
    def __init__(self, waits: tuple[Wait, ...], subject: Subject) -> None:
        self._left = list(waits)
        self._subject = subject
        self._current: Waiting | None = None
        self._seen: list[str] = []

    def look(self, now: float) -> Answer:
        while self._left:
            if self._current is None:
                self._current = Waiting(self._left[0], self._subject, None, now)
            answer = self._current.look(now)
            if isinstance(answer, NotYet):
                return replace(answer, seen=f"{self._left[0]!r}: {answer.seen}")
            if not isinstance(answer, Holds):
                return answer
            self._seen.append(answer.seen)
            del self._left[0]
            self.close()
        return Holds("; ".join(self._seen))

    def close(self) -> None:
        current, self._current = self._current, None
        if current is not None:
            current.close()
