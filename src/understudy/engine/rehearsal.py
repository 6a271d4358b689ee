"""A life that is played through before the first that counts, with nobody to hear it.

What an actor does from its part to its end writes to hundreds of pages, each of which is copied at its first time; and
Python looks up and specializes as it goes. The zygote does it some times, for what Python remembers of it; and who
stands by does it once, so that its pages are copied before anything is asked of it.
"""

from __future__ import annotations

import gc
import logging
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
from understudy.engine.streams import Tee, forward
from understudy.part import part_of
from understudy.process import FunctionProcess
from understudy.receiving.marks import methods_of
from understudy.spawners import circumstances, family
from understudy.spawners.base import Birth
from understudy.wire import messages
from understudy.wire.codec import encode, pack
from understudy.wire.page import Page, Phase
from understudy.wire.pickling import dumps, loads
from understudy.wire.sockets import Line

_NO_LEASH = -1
_nowhere = Line.__new__(Line)
"""A line without sockets, over which nothing could be said."""


def play_through() -> None:
    """Be born, open a state, act and end: nothing is said, and nothing of this process is changed."""
    _play()
    gc.collect(1)  # what it made refers to itself; of the old, which all share, nothing is looked at


def _play() -> None:
    page, page_fd = Page.create("understudy-rehearsal")
    bell = os.pipe()
    page.phase = Phase.BORN
    birth = Birth.from_file(_birth().to_file())
    circumstances.apply_to_loggers(birth.levels)
    family.marker(birth.system, birth.uid, birth.incarnation)
    Tee(None, page)  # type: ignore[arg-type]  # nothing is written
    halt = Halt(bell[1])
    sections = Sections(page, halt)
    outbox = Outbox(_nowhere, birth)
    encode(outbox.identity(), messages.Ready(os.getpid(), None, []))
    outbox.mute()
    link = Link(_nowhere, outbox, birth, bell, _NO_LEASH)
    forward().open(outbox, birth.name, birth.incarnation)
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
    link.judged.set()  # should it crash, nobody would say what follows
    Act(process, config, actor, halt, sections, link, outbox, loop).play()
    for fd in (page_fd, *bell):
        os.close(fd)


@cache
def part() -> bytes:
    """The state of what is played: a function that does nothing."""
    process = FunctionProcess(_nothing, (), {})
    return dumps(process, "", process.config)


def _birth() -> Birth:
    root = logging.getLogger()
    return Birth(
        system="",
        system_name="",
        uid=0,
        incarnation=1,
        name="",
        directory="",
        key=bytes(32),
        host="process",
        program=False,
        lives_left=0,
        rites=None,
        modules=(),
        place=b"",
        levels=pack([{"": root.level}, root.manager.disable, []]),
        terminal=None,
        output=None,
        settings={},
        blob=part(),
    )


def _nothing() -> None:
    """Played."""
