"""What `top` shows, and what its keys mean: figures and keys in, lines and wishes out. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from understudy.cli import formats, styles
from understudy.cli.names import natural
from understudy.cli.rows import in_tree
from understudy.cli.sheet import Column, Line, lay
from understudy.cli.sparks import Trail
from understudy.globs import Globs
from understudy.status import ActorInfo, Status

_SPARK = 12
_FRAME = 4
"""Lines that are no rows: two of the head, the titles, the last one."""
_ORDER = {status: number for number, status in enumerate(Status)}


@dataclass(frozen=True, slots=True)
class Wish:
    """What is to be done about one actor: ``stop``, ``kill``, ``restart`` or ``inspect``."""

    verb: str
    name: str


@dataclass(frozen=True, slots=True)
class Seen:
    """One row: the actor, and its last minute as sparklines."""

    info: ActorInfo
    cpu: str
    memory: str


SORTS: dict[str, tuple[str, Callable[[ActorInfo], Any], bool]] = {
    "n": ("name", lambda info: natural(info.name), False),
    "c": ("cpu", lambda info: info.cpu_percent or 0.0, True),
    "m": ("memory", lambda info: info.memory_mb or 0.0, True),
    "l": ("lap", lambda info: info.completed_laps, True),
    "s": ("status", lambda info: _ORDER[info.status], False),
}
"""By key: the column, what is compared, and whether the largest comes first."""
DEEDS = {"S": "stop", "K": "kill", "R": "restart", "i": "inspect", "enter": "inspect"}
_HELP = (
    "q quit",
    "S stop",
    "K kill",
    "R restart",
    "i inspect",
    "a ended too",
    "n c m l s sort",
    "r reverse",
)
"""What the keys do; where room is short the last ones are left out."""
_HELP_INSIDE = "q back  arrows scroll  i again"


def _help(width: int) -> str:
    shown = _HELP[0]
    for one in _HELP[1:]:
        if len(shown) + 2 + len(one) > width:
            break
        shown += f"  {one}"
    return shown


def _status(seen: Seen) -> str:
    return styles.STATUS.get(seen.info.status, "")


def _health(seen: Seen) -> str:
    return styles.HEALTH.get(seen.info.health, "dim")


def _pid(seen: Seen) -> str:
    return formats.UNKNOWN if seen.info.pid is None else str(seen.info.pid)


COLUMNS: tuple[Column[Seen], ...] = (
    Column("name", lambda seen: in_tree(seen.info), 99, least=12),
    Column("status", lambda seen: seen.info.status_text, 98, style=_status, least=10),
    Column("health", lambda seen: str(seen.info.health), 5, style=_health, least=7),
    Column("inc", lambda seen: str(seen.info.incarnation), 8, right=True),
    Column("left", lambda seen: str(seen.info.lives_left), 4, right=True),
    Column("lap", lambda seen: formats.number(seen.info.completed_laps), 9, right=True, least=7),
    Column("cpu", lambda seen: formats.percent(seen.info.cpu_percent), 12, right=True, least=5),
    Column("", lambda seen: seen.cpu, 7, style=lambda _: "cyan", least=_SPARK),
    Column("memory", lambda seen: formats.mib(seen.info.memory_mb), 11, right=True, least=9),
    Column(" ", lambda seen: seen.memory, 6, style=lambda _: "magenta", least=_SPARK),
    Column("progress", lambda seen: formats.percent(seen.info.progress), 3, right=True),
    Column("pid", _pid, 2, right=True, least=5),
    Column("note", lambda seen: formats.first_line(seen.info.note), 1, least=4),
)


class Board:
    """The state of the screen."""

    def __init__(self, system: str, patterns: Sequence[str] = (), *, ascii_only: bool = False) -> None:
        self._system, self._patterns, self._ascii = system, patterns, ascii_only
        self._globs = Globs(patterns or "*")
        self._actors: dict[str, ActorInfo] = {}
        self._is_known = False
        self._silent_since: float | None = None
        self._trails: dict[tuple[int, str], Trail] = {}
        self._sort, self._reversed, self._with_ended = "n", False, False
        self._chosen: str | None = None
        self._first = self._place = 0
        self._page = 1
        self._asked: Wish | None = None
        self._pages: list[Line] | None = None
        self._title = ""
        self._scroll = 0
        self._said: tuple[str, str] = ("", "")
        self.is_over = False
        """Whether it is to end."""

    # --- figures in

    def show(self, actors: Mapping[str, ActorInfo], now: float) -> None:
        """How all stand now; ``now`` in seconds."""
        self._is_known, self._silent_since = True, None
        self._actors = {name: info for name, info in actors.items() if self._globs.mean(name)}
        living = {info.uid for info in self._actors.values() if not info.status.ended}
        self._trails = {key: trail for key, trail in self._trails.items() if key[0] in living}
        for info in self._actors.values():
            if info.uid not in living:
                continue
            for what, value in (("cpu", info.cpu_percent), ("memory", info.memory_mb)):
                if value is not None:
                    self._trails.setdefault((info.uid, what), Trail()).add(now, value)

    def miss(self, since: float | None) -> None:
        """The system has not answered since then; None: it does."""
        self._silent_since = since

    def inspect(self, title: str, lines: Iterable[Line]) -> None:
        """These lines over the table, until a key takes them away."""
        self._title, self._pages, self._scroll = title, list(lines), 0

    def say(self, text: str, style: str = "") -> None:
        """In the last line, until the next key."""
        self._said = (text, style)

    # --- keys in

    def press(self, key: str) -> Wish | None:
        """One key; what it asks for, if that is more than to look."""
        self._said = ("", "")
        if self._asked is not None:
            wish, self._asked = self._asked, None
            if key in {"y", "Y"}:
                return wish
            self.say("nothing was killed")
            return None
        if self._pages is not None:
            return self._press_inside(key)
        if key in {"q", "escape"}:
            self.is_over = True
        elif key in SORTS:
            self._sort, self._reversed = key, False
        elif key == "r":
            self._reversed = not self._reversed
        elif key == "a":
            self._with_ended = not self._with_ended
        elif key in _MOVES:
            self._move(_MOVES[key](self._page))
        elif key in DEEDS:
            return self._wish(DEEDS[key])
        return None

    def _press_inside(self, key: str) -> Wish | None:
        if key in {"q", "escape"}:
            self._pages = None
        elif key in _MOVES:
            self._scroll = max(0, self._scroll + _MOVES[key](self._page))
        elif key in {"i", "enter"}:
            return self._wish("inspect")
        return None

    def _wish(self, verb: str) -> Wish | None:
        if self._chosen is None:
            self.say("there is no actor to choose", "yellow")
            return None
        wish = Wish(verb, self._chosen)
        if verb != "kill":
            return wish
        self._asked = wish
        return None

    def _move(self, by: int) -> None:
        names = [info.name for info in self._listed()]
        if not names:
            return
        place = names.index(self._chosen) if self._chosen in names else 0
        self._place = min(len(names) - 1, max(0, place + by))
        self._chosen = names[self._place]

    # --- lines out

    def lines(self, width: int, height: int, now: float) -> list[Line]:
        """The whole screen, no more lines than its height; they may be longer than its width."""
        self._page = max(1, height - _FRAME)
        if self._pages is not None:
            return self._inside(height)
        infos = self._listed()
        names = [info.name for info in infos]
        if self._chosen not in names:
            self._chosen = names[min(self._place, len(names) - 1)] if names else None  # the next one
        self._place = place = names.index(self._chosen) if self._chosen is not None else 0
        self._first = max(0, min(self._first, place, len(infos) - self._page), place - self._page + 1)
        rows = [self._seen(info, now) for info in infos[self._first : self._first + self._page]]
        laid = lay(COLUMNS, rows, width)
        sort = SORTS[self._sort][0]
        out: list[Line] = [self._summary(now), [(_help(width), "dim")]]
        out.append(laid.head(lambda one: "bold reverse" if one.title == sort else "bold"))
        for row in rows:
            line = laid.line(row)
            chosen = row.info.name == self._chosen
            out.append([(text, f"{style} reverse".strip()) for text, style in line] if chosen else line)
        if not rows:
            out.append([("(no actors)" if self._is_known else "...", "dim")])
        return [*out[: max(0, height - 1)], self._last()][:height]

    def _inside(self, height: int) -> list[Line]:
        pages = self._pages or []
        room = max(1, height - 2)
        self._scroll = min(self._scroll, max(0, len(pages) - room))
        where = f"{self._scroll + 1}-{min(len(pages), self._scroll + room)} of {len(pages)}" if pages else "empty"
        head: Line = [(self._title, "bold"), (f"  lines {where}  ", "dim"), (_HELP_INSIDE, "dim")]
        return [head, *pages[self._scroll : self._scroll + room], self._last()][:height]

    def _last(self) -> Line:
        if self._asked is not None:
            return [(f"kill {self._asked.name} and all that it started? y/n", "bold red")]
        return [self._said]

    def _summary(self, now: float) -> Line:
        if not self._is_known:  # zeros would be taken for figures
            return [(self._system, "bold"), ("  not heard of yet", "dim")]
        living = [info for info in self._actors.values() if not info.status.ended]
        ill = sum(info.health in {"unresponsive", "zombie"} for info in living)
        cpu = sum(info.cpu_percent or 0.0 for info in living)
        memory = sum(info.memory_mb or 0.0 for info in living)
        line: Line = [
            (self._system, "bold"),
            (f"  {len(living)} living  cpu {formats.percent(cpu)}  memory {formats.mib(memory)}", ""),
        ]
        if self._silent_since is not None:
            line.append((f"  no answer for {formats.span(now - self._silent_since)}", "bold red"))
        if ill:
            line.append((f"  {ill} not healthy", "bold red"))
        if self._patterns:
            line.append((f"  only {' '.join(self._patterns)}", "dim"))
        return line

    def _listed(self) -> list[ActorInfo]:
        _, key, descending = SORTS[self._sort]
        infos = [info for info in self._actors.values() if self._with_ended or not info.status.ended]
        infos.sort(key=lambda info: natural(info.name))
        infos.sort(key=key, reverse=descending != self._reversed)
        return infos

    def _seen(self, info: ActorInfo, now: float) -> Seen:
        return Seen(info, self._spark(info.uid, "cpu", now, 0.0), self._spark(info.uid, "memory", now, None))

    def _spark(self, uid: int, what: str, now: float, least: float | None) -> str:
        trail = self._trails.get((uid, what))
        return "" if trail is None else trail.spark(now, _SPARK, least=least, ascii_only=self._ascii)


_MOVES: dict[str, Callable[[int], int]] = {
    "up": lambda _: -1,
    "down": lambda _: 1,
    "page up": lambda page: -page,
    "page down": lambda page: page,
    "home": lambda _: -1_000_000,
    "end": lambda _: 1_000_000,
}
