"""What `top` asks the system for, on threads of its own: keys are heard meanwhile."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from time import monotonic

from understudy.cli.board import Wish
from understudy.cli.choosing import Place
from understudy.cli.formats import shown
from understudy.cli.names import latest
from understudy.cli.portrait import portrait
from understudy.cli.sheet import Line
from understudy.errors import WaitTimeout
from understudy.observe.observer import Observer
from understudy.observe.remote import Remote
from understudy.status import ActorInfo

_EVERY = 0.25  # seconds between two pictures
_PATIENCE = 5.0
_SILENCE = 2.0  # seconds without a word after which the system is asked for one
_SHOWN = ("state", "laps", "progress", "health", "figures")


@dataclass(frozen=True, slots=True)
class Picture:
    """How all actors stand."""

    actors: Mapping[str, ActorInfo]


@dataclass(frozen=True, slots=True)
class Said:
    """The answer to a wish."""

    text: str
    style: str


@dataclass(frozen=True, slots=True)
class Pages:
    """What was to be inspected."""

    title: str
    lines: list[Line]


@dataclass(frozen=True, slots=True)
class Gone:
    """The system has closed, or cannot be followed any more: that is why."""

    error: Exception | None


@dataclass(frozen=True, slots=True)
class Silent:
    """The system does not answer: since that moment, by the monotonic clock; None: it does."""

    since: float | None


News = Picture | Said | Pages | Silent | Gone


class Hands:
    """Carries out wishes one by one; what comes of each is told by ``tell``, from its thread."""

    def __init__(self, place: Place, tell: Callable[[News], None]) -> None:
        self._place, self._tell = place, tell
        self._wishes: queue.SimpleQueue[Wish | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._work, name="understudy-hands", daemon=True)
        self._thread.start()

    def take(self, wish: Wish) -> None:
        """To be carried out."""
        self._wishes.put(wish)

    def close(self) -> None:
        """No more wishes; the one under way is waited for a moment."""
        self._wishes.put(None)
        self._thread.join(1.0)

    def _work(self) -> None:
        try:
            with self._place.remote(timeout=_PATIENCE) as far:
                while (wish := self._wishes.get()) is not None:
                    self._carry_out(far, wish)
        except Exception as error:  # noqa: BLE001 - raised again where the terminal has been given back
            self._tell(Gone(error))

    def _carry_out(self, far: Remote, wish: Wish) -> None:
        try:
            self._tell(_done(self._place, far, wish))
        except Exception as error:  # noqa: BLE001 - a defect, too, is told, and other wishes can be carried out
            self._tell(Said(f"{wish.verb} {wish.name}: {shown(str(error))}", "bold red"))


def _done(place: Place, far: Remote, wish: Wish) -> News:
    match wish.verb:
        case "stop":
            words = far.stop(wish.name)
        case "kill":
            words = far.kill(wish.name)
        case "restart":
            words = far.restart(wish.name)
        case _:
            return Pages(wish.name, list(_pages(place, far, wish.name)))
    return Said(f"{wish.verb} {wish.name}: {', '.join(words.values())}", "green")


def _pages(place: Place, far: Remote, name: str) -> Iterator[Line]:
    yield from portrait(far.info(name), place.told(lambda: far.story(name)) or [], time.time())
    for text in (place.told(lambda: far.stacks(name)) or {}).values():
        yield [("", "")]
        yield [("stacks", "bold underline")]
        yield from ([(f"  {line}", "")] for line in shown(text).splitlines() or ["(no process)"])


class Eyes:
    """Follows the system; each picture is told by ``tell``, from its thread."""

    def __init__(self, place: Place, tell: Callable[[News], None]) -> None:
        self._place, self._tell = place, tell
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._look, name="understudy-eyes", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Look away."""
        self._closing.set()
        self._thread.join(1.0)

    def _look(self) -> None:
        try:
            with (
                self._place.observer(kinds=_SHOWN, timeout=_PATIENCE) as observer,
                self._place.remote(timeout=_SILENCE) as far,
            ):
                observer.snapshot()
                self._follow(observer, far)
        except Exception as error:  # noqa: BLE001 - raised again where the terminal has been given back
            self._tell(Gone(error))

    def _follow(self, observer: Observer, far: Remote) -> None:
        # No event tells of who had ended before it began.
        former = {name: info for name, info in latest(far.ps(all=True)).items() if info.status.ended}
        told_at, is_news, heard_at = 0.0, True, monotonic()
        while not self._closing.is_set():
            now = monotonic()
            if is_news and now - told_at >= _EVERY:
                self._tell(Picture({**former, **observer.actors}))
                told_at, is_news = now, False
            until = now + _EVERY
            if observer.next(_EVERY) is not None:
                is_news, heard_at = True, monotonic()
            elif monotonic() < until:
                self._tell(Gone(None))
                return
            elif monotonic() - heard_at >= _SILENCE:
                heard_at = self._wonder(far, heard_at)

    def _wonder(self, far: Remote, heard_at: float) -> float:
        """After a silence: whether the system still answers; when it was heard last."""
        try:
            far.hello()
        except WaitTimeout:
            self._tell(Silent(heard_at))
            return heard_at
        self._tell(Silent(None))
        return monotonic()
