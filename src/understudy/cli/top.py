"""`understudy top`: a live table with keys."""

from __future__ import annotations

import os
import queue
import select
import sys
from contextlib import ExitStack, closing
from time import monotonic

import typer

from understudy.cli import presses
from understudy.cli.bell import Bell
from understudy.cli.board import Board
from understudy.cli.choosing import PATIENCE, Place, chosen, lasting
from understudy.cli.exits import FAILED, Failure
from understudy.cli.glass import Glass
from understudy.cli.hands import Eyes, Gone, Hands, News, Pages, Picture, Said, Silent
from understudy.cli.keyboard import Decoder, Keyboard
from understudy.cli.names import picked
from understudy.cli.options import ONLY, Names
from understudy.cli.voice import note
from understudy.cli.where import Where
from understudy.globs import is_glob

_FASTEST = 0.1  # seconds between two pictures
_SLOWEST = 1.0
_ESCAPE = 0.05  # seconds within which the rest of a key's bytes has to come


def top(names: Names = None, where: Where = ONLY) -> None:
    """Show a live table of the actors, with keys to sort, stop, kill, restart and inspect."""
    if not (os.isatty(0) and os.isatty(1)) or os.environ.get("TERM") in {None, "", "dumb"}:
        raise Failure(FAILED, "a terminal is needed; elsewhere there are ps and watch")
    place = chosen(where)
    if any(not is_glob(name) for name in names or ()):
        with lasting(place), place.remote(timeout=PATIENCE) as far:
            picked(far.ps(all=True), names or (), ended=True)
    bell = Bell()
    board = Board(place.name, names or (), ascii_only="utf" not in (sys.stdout.encoding or "").lower())
    gone = _play(place, board, bell)
    if bell.number:
        raise typer.Exit(presses.end_by(bell.number))
    if gone is not None and gone.error is not None:
        with lasting(place):
            raise gone.error
    if gone is not None:
        note("top", f"{place.name} has closed")


def _play(place: Place, board: Board, bell: Bell) -> Gone | None:
    """Until it is over; the terminal is given back whatever happens."""
    inbox: queue.SimpleQueue[News] = queue.SimpleQueue()

    def tell(news: News) -> None:
        inbox.put(news)
        bell.ring()

    with ExitStack() as stack:
        keyboard = stack.enter_context(closing(Keyboard(0)))
        glass = stack.enter_context(closing(Glass(1)))
        hands = stack.enter_context(closing(Hands(place, tell)))
        stack.enter_context(closing(Eyes(place, tell)))
        decoder, drawn_at, is_stale = Decoder(), 0.0, True
        while not board.is_over and not bell.number:
            now = monotonic()
            is_stale |= now - drawn_at >= _SLOWEST
            if is_stale and now - drawn_at >= _FASTEST:
                columns, lines = glass.size()
                glass.draw(board.lines(columns, lines, now), columns)
                drawn_at, is_stale = now, False
            due = drawn_at + (_FASTEST if is_stale else _SLOWEST) - now
            ready, _, _ = select.select([keyboard.fd, bell.fd], [], [], _ESCAPE if decoder.is_waiting else max(0, due))
            is_stale |= bool(ready)
            if bell.fd in ready:
                bell.hear()
            if keyboard.fd not in ready:
                keys = decoder.give_up() if not ready else []
            elif typed := keyboard.read():
                keys = decoder.feed(typed)
            else:  # it hung up
                return None
            for wish in filter(None, map(board.press, keys)):
                hands.take(wish)
            while not inbox.empty():
                news = inbox.get()
                if isinstance(news, Gone):
                    return news
                _take(board, news)
    return None


def _take(board: Board, news: News) -> None:
    match news:
        case Picture(actors):
            board.show(actors, monotonic())
        case Pages(title, lines):
            board.inspect(title, lines)
        case Silent(since):
            board.miss(since)
        case Said(text, style):
            board.say(text, style)
