"""Files of programs, which open theirs once: one that is too long is copied aside, and cut.

What a program writes between the end of the copy and the cut is lost. It goes on at the beginning, for its files are
opened to append.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from time import monotonic
from typing import TYPE_CHECKING

from understudy.lifecycle.actor import Actor
from understudy.router.errands import Errands
from understudy.router.folders import STREAMS, directory_of
from understudy.router.world import World
from understudy.wire import regular, turning

if TYPE_CHECKING:
    from understudy.wire.page import Page

EVERY = 1.0
"""Seconds between two looks at the files."""
_BLOCK = 1 << 20
_ROUNDS = 8
"""How often what came during the copy is copied too, before the cut."""


@dataclass(slots=True)
class _Part:
    """One file, its limits, and what became of it at this look."""

    uid: int
    incarnation: int
    path: str
    most: int
    files: int
    page: Page | None
    error: str = ""
    cut: bool = False

    def turn(self) -> None:
        """If it is too long."""
        try:
            fd = regular.opened(self.path, os.O_RDWR)
        except FileNotFoundError:
            return  # somebody has moved it: it is made anew by the next life
        except OSError as error:
            self.error = str(error)
            return
        try:
            if os.fstat(fd).st_size >= self.most:
                if self.files > 1:
                    self._copy(fd)
                os.ftruncate(fd, 0)
                self.cut = True
        except OSError as error:
            turning.forget_spare(self.path)
            self.error = str(error)
        finally:
            os.close(fd)

    def _copy(self, fd: int) -> None:
        out = regular.opened(turning.spare(self.path), os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        try:
            turning.tell_origin(out, os.fstat(fd).st_ino)
            at = 0
            for _ in range(_ROUNDS):
                size = os.fstat(fd).st_size
                while at < size and (data := os.pread(fd, min(_BLOCK, size - at), at)):
                    at += len(data)
                    while data:
                        data = data[os.write(out, data) :]
                if at >= os.fstat(fd).st_size:
                    break
        finally:
            os.close(out)
        turning.put_behind(self.path, self.files, turning.spare(self.path))


class Turning:
    """The files of all programs of a system; only the router's thread calls, and another one looks at the disk."""

    def __init__(self, world: World, files: Errands) -> None:
        self._world, self._errands = world, files
        self._watched: dict[int, Actor] = {}
        self._stuck: dict[str, str] = {}
        """Why files could not be turned, by path: told once."""

    def watch(self, actor: Actor) -> None:
        """From now on, as long as it lives."""
        if directory_of(self._world, actor) is None or actor.spec.config.limits.output is None:
            return
        if not self._watched:
            self._wait()
        self._watched[actor.uid] = actor

    def _wait(self) -> None:
        self._world.timers.set("turning", monotonic() + EVERY, self._look)

    def _look(self) -> None:
        self._watched = {uid: actor for uid, actor in self._watched.items() if not actor.status.ended}
        if not self._watched:
            self._stuck.clear()
            return
        parts = [part for actor in self._watched.values() for part in self._parts(actor)]

        def work() -> None:
            for part in parts:
                part.turn()

        # The next look waits for the end of this one, however long the disk takes.
        if not self._errands.run(work, lambda _: self._looked(parts)):
            self._wait()

    def _parts(self, actor: Actor) -> list[_Part]:
        directory, limits = directory_of(self._world, actor), actor.spec.config.limits
        record = self._world.records.get(actor.uid)
        if directory is None or limits.output is None:
            return []
        page = None if record is None else record.page
        return [
            _Part(
                actor.uid,
                actor.incarnation,
                os.path.join(directory, stream),
                limits.output,
                limits.output_files,
                page if stream == "stderr" else None,
            )
            for stream in STREAMS
        ]

    def _looked(self, parts: list[_Part]) -> None:
        for part in parts:
            record = self._world.records.get(part.uid)
            if part.cut and part.page is not None and record is not None and record.page is part.page:
                part.page.stderr_from = 0
            actor = self._watched.get(part.uid)
            if part.error and part.error != self._stuck.get(part.path) and actor is not None:
                text = f"{part.path} is too long, and cannot be begun anew: {part.error}"
                self._world.tell(actor, part.incarnation, text)
            if part.error:
                self._stuck[part.path] = part.error
            elif part.cut:
                self._stuck.pop(part.path, None)
        self._wait()
