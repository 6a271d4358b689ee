"""A life that is played through by a process that stands by, with nobody to hear it.

What an actor does from its part to its end writes to hundreds of pages, each of which is copied at its first time; and
Python looks up and specializes as it goes. Who has done all of it once, while nothing was asked of it, does it in a
third of the time when it counts.
"""

from __future__ import annotations

import gc
import os
from functools import cache

from understudy.config import adopt
from understudy.engine.act import Act
from understudy.engine.debugger import Debugger
from understudy.engine.halt import Halt
from understudy.engine.hooks import Loop
from understudy.engine.inside import Actor
from understudy.engine.link import Link
from understudy.engine.outbox import Outbox
from understudy.engine.sections import Sections
from understudy.engine.stacks import Stacks
from understudy.engine.streams import Tee, forward, forward_records
from understudy.part import part_of
from understudy.process import FunctionProcess
from understudy.receiving.marks import methods_of
from understudy.spawners import circumstances, family
from understudy.spawners.base import Birth
from understudy.wire import messages
from understudy.wire.codec import encode
from understudy.wire.page import Page, Phase
from understudy.wire.pickling import dumps, loads
from understudy.wire.sockets import Line


def play_through(line: Line, directory: str, leash: int) -> None:
    """Be born, open a state, act and end: nothing is said, and nothing of this process is changed."""
    _play(line, directory, leash)
    gc.collect(1)  # what it made refers to itself; of the old, which all share, nothing is looked at


def _play(line: Line, directory: str, leash: int) -> None:
    page, page_fd = Page.create("understudy-rehearsal")
    bell = os.pipe()
    page.phase = Phase.BORN
    birth = Birth.from_file(_birth(directory).to_file())
    circumstances.apply_to_loggers(birth.levels)
    family.marker(birth.system, birth.uid, birth.incarnation)
    Tee(None, page)  # type: ignore[arg-type]  # nothing is written
    halt = Halt(bell[1])
    sections = Sections(page, halt)
    outbox = Outbox(line, birth)
    encode(outbox.identity(), messages.Ready(os.getpid(), None, []))
    outbox.mute()
    link = Link(line, outbox, birth, bell, leash)
    forward().open(outbox, birth.name, birth.incarnation)
    forward_records()
    link.attend(halt, sections, Stacks(page, page_fd), None)
    link.obey_page(page)
    loop = Loop()
    actor = Actor(birth, halt, sections, link, outbox)
    process, config = loads([birth.blob])
    adopt(config, birth.settings)
    part = part_of(process)
    methods_of(type(process))
    part.inside, part.config = actor, config
    Debugger(sections, link, halt, config, birth.terminal)
    link.acknowledged.set()
    Act(process, config, actor, halt, sections, link, outbox, loop).play()
    for fd in (page_fd, *bell):
        os.close(fd)


@cache
def part() -> bytes:
    """The state of what is played: a function that does nothing."""
    process = FunctionProcess(_nothing, (), {})
    return dumps(process, "", process.config)


def _birth(directory: str) -> Birth:
    return Birth(
        system="",
        system_name="",
        uid=0,
        incarnation=1,
        name="",
        directory=directory,
        key=bytes(32),
        host="process",
        lives_left=0,
        rites=None,
        modules=(),
        place=b"",
        levels=circumstances.levels(),
        terminal=None,
        output=None,
        settings={},
        blob=part(),
    )


def _nothing() -> None:
    """Played."""
