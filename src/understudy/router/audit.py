"""What comes over a network is told to the logger ``understudy.audit``: who did what, and who was refused.

Each deed has a record of its own. Of refusals so many have one, the others are summed up: a flood of them says no more.
"""

from __future__ import annotations

import logging
import threading
from collections import Counter
from collections.abc import Callable
from typing import Any, NamedTuple

from understudy.settings import shown

LOGGER = "understudy.audit"
PERIOD = 1.0
"""Seconds after which what was not told one by one is summed up."""
ONE_BY_ONE = 20
"""Refused requests that have a record of their own, in one period."""
_KINDS = 50
"""Different refusals that are told apart in a sum."""
_OTHERS = "somebody else"


class Who(NamedTuple):
    """Somebody who came over a network."""

    user: str
    """The name of the key."""
    role: str
    address: str

    def __str__(self) -> str:
        return f"{self.user} ({self.role}) from {self.address}"


class Audit:
    """For the router's thread, but for `turned_away`."""

    def __init__(self, put: Callable[[dict[str, Any]], None]) -> None:
        self._put = put
        self._told = 0
        self._untold: Counter[str] = Counter()
        self._lock = threading.Lock()
        self._away: Counter[str] = Counter()

    @staticmethod
    def begin() -> None:
        """Have the logger tell what was done, unless somebody has set its level: off by default it would be none."""
        logger = logging.getLogger(LOGGER)
        if logger.level == logging.NOTSET:
            logger.setLevel(logging.INFO)

    def did(self, who: Who, verb: str, whom: object, outcome: object) -> None:
        """A request that changes something was met, or could not be."""
        text = outcome if isinstance(outcome, str) else shown(outcome)
        about = "" if whom is None else f" {shown(whom)}"
        self._put(_record(logging.INFO, f"{who}: {verb}{about}: {text}", who, verb=verb, whom=whom, outcome=text))

    def refused(self, who: Who, verb: str, whom: object, reason: str, text: str) -> None:
        """A request was refused."""
        self._told += 1
        if self._told > ONE_BY_ONE:
            self._count(f"{reason} to {who}")
            return
        what = verb or "a request"
        about = "" if whom is None else f" {shown(whom)}"
        self._put(
            _record(
                logging.WARNING,
                f"{who}: {what}{about} was refused ({reason}): {text}",
                who,
                verb=verb,
                whom=whom,
                outcome=reason,
            )
        )

    def turned_away(self, why: str) -> None:
        """Somebody was not let in; for any thread."""
        with self._lock:
            _add(self._away, why)

    def sum_up(self) -> None:
        """Tell what was not told one by one; to be called once in a period."""
        for why, count in sorted(self._untold.items()):
            self._warn(f"{count} more requests were refused: {why}")
        self._untold.clear()
        self._told = 0
        with self._lock:
            away, self._away = self._away, Counter()
        for why, count in sorted(away.items()):
            self._warn(f"{why} was not let in" + (f", {count} times" if count > 1 else ""))

    def _count(self, why: str) -> None:
        _add(self._untold, why)

    def _warn(self, text: str) -> None:
        self._put({"name": LOGGER, "msg": text, "levelno": logging.WARNING, "levelname": "WARNING"})


def _add(counts: Counter[str], why: str) -> None:
    counts[why if why in counts or len(counts) < _KINDS else _OTHERS] += 1


def _record(level: int, text: str, who: Who, *, verb: str, whom: object, outcome: str) -> dict[str, Any]:
    return {
        "name": LOGGER,
        "msg": text,
        "levelno": level,
        "levelname": logging.getLevelName(level),
        **who._asdict(),
        "verb": verb,
        "whom": None if whom is None else shown(whom),
        "outcome": outcome,
    }
