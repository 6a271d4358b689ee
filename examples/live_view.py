"""A live view of the actors of a running system, from a process of its own.

    python examples/live_view.py ENDPOINT

ENDPOINT is what `system.endpoint` says, or the system's name. In a terminal it draws a table that moves; elsewhere it
writes a line for each change, and one a second on how far everybody is. It ends when the system does.
"""

import sys
import time
from collections import deque

from rich.console import Group
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from understudy import ActorInfo, Event, Observer, Status, UnderstudyError

COLOURS = {
    Status.RUNNING: "green",
    Status.STOPPING: "yellow",
    Status.RESTARTING: "magenta",
    Status.FINISHED: "cyan",
    Status.CRASHED: "red",
    Status.KILLED: "red",
}
NEWS = 8
REDRAW = 0.1  # seconds: more would take from the work that is watched


def picture(actors: dict[str, ActorInfo], news: deque[str]) -> Group:
    table = Table(expand=True)
    for title in ("actor", "state", "life", "pid", "lap"):
        table.add_column(title, no_wrap=True)
    table.add_column("done", min_width=12, ratio=2)
    table.add_column("at", no_wrap=True, overflow="ellipsis", ratio=3)
    for info in actors.values():
        table.add_row(
            info.name,
            Text(str(info.status), style=COLOURS.get(info.status, "white")),
            f"{info.incarnation} ({info.lives_left} left)",
            str(info.pid or "-"),
            str(info.lap),
            ProgressBar(completed=info.progress or 0.0),
            info.note or "",
        )
    return Group(table, *(Text(line, style="dim", no_wrap=True, overflow="ellipsis") for line in news))


def story(event: Event) -> str | None:
    """The event in words, if it is one to tell."""
    clock = time.strftime("%H:%M:%S", time.localtime(event.time))
    match event.kind:
        case "state":
            return f"{clock}  {event.name}: {event.before} -> {event.after} (life {event.incarnation}; {event.cause})"
        case "health" | "snapshot":
            return f"{clock}  {event.name} {event.cause}"
        case _:
            return None


def unplanned(event: Event) -> bool:
    """Whether it belongs below the table, which shows the states already."""
    return event.kind != "state" or event.incarnation > 1 or event.after == Status.RESTARTING


def draw(observer: Observer) -> None:
    """For eyes: one table, drawn over itself."""
    news: deque[str] = deque(maxlen=NEWS)
    drawn_at = 0.0
    with Live(picture(observer.actors, news), auto_refresh=False) as live:
        for event in observer:
            if unplanned(event) and (line := story(event)) is not None:
                news.append(line)
            # What is left out here is made up for soon: the laps of all are told once a second.
            if time.monotonic() - drawn_at >= REDRAW:
                live.update(picture(observer.actors, news), refresh=True)
                drawn_at = time.monotonic()
        live.update(picture(observer.actors, news), refresh=True)


def tell(observer: Observer) -> None:
    """For pipes and log files: lines."""
    told_at = time.monotonic()
    print(observer.snapshot(), flush=True)
    for event in observer:
        if (line := story(event)) is not None:
            print(line, flush=True)
        if time.monotonic() - told_at >= 1.0:
            told_at = time.monotonic()
            clock = time.strftime("%H:%M:%S", time.localtime(event.time))
            shares = ", ".join(f"{info.name} {info.progress or 0:.0f} %" for info in observer.actors.values())
            print(f"{clock}  {shares}", flush=True)


def main() -> int:
    if len(sys.argv) != 2:
        print(f"usage: {sys.argv[0]} ENDPOINT", file=sys.stderr)
        return 2
    try:
        with Observer(sys.argv[1], timeout=2.0) as observer:
            (draw if sys.stdout.isatty() else tell)(observer)
    except UnderstudyError as error:
        print(f"{type(error).__name__}: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
