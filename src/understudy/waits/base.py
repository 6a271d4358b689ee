"""The Protocol of waits, and what they get to see."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol, runtime_checkable

if TYPE_CHECKING:
    from understudy.waits.notices import Notices


@dataclass(frozen=True, slots=True)
class Started:
    """A program that was begun and isn't READY yet.

    ``pid`` is its process, ``family()`` gives that and all that it has started; ``output`` is the directory of its
    files ``stdout`` and ``stderr``, None where it has none. ``notices`` is where it speaks to by `sd_notify`, if it was
    begun for that.
    """

    name: str
    pid: int
    output: str | None
    family: Callable[[], Sequence[int]] = field(repr=False)
    notices: Notices | None = field(default=None, repr=False)


@runtime_checkable
class Wait(Protocol):
    """What has to hold before a program is READY: anything with this method; ``str()`` of it says what it is.

    It is asked again and again, in a thread of its own, until it holds, the program has died, or ``timeouts.startup``
    is over; then it is asked no more, for another life from the beginning.
    """

    def missing(self, program: Started) -> str | None:
        """None when it holds; else what is missing, in words, for the error of who waits in vain.

        An answer should take no longer than a second. What it raises ends the program, which gets no further life.
        """
        ...
