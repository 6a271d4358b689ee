"""From the fork to the exit: guard, circumstances, signals, sockets, opening the state, READY, the act, the way out."""

from __future__ import annotations

import faulthandler
import os
import sys
from dataclasses import dataclass

from understudy import failpoints, runtime
from understudy.config import ProcessConfig, adopt
from understudy.engine import rehearsal
from understudy.engine.act import CRASHED, Act
from understudy.engine.debugger import Debugger
from understudy.engine.halt import Halt
from understudy.engine.hooks import Loop
from understudy.engine.inside import Actor
from understudy.engine.leave import leave
from understudy.engine.link import Link
from understudy.engine.opening import serving_of
from understudy.engine.outbox import Outbox
from understudy.engine.output import Output
from understudy.engine.sections import Sections
from understudy.engine.stacks import Stacks
from understudy.engine.streams import Tee, forward, forward_records
from understudy.engine.telling import Told
from understudy.part import part_of
from understudy.receiving.marks import methods_of
from understudy.settings import usual, walk
from understudy.spawners import circumstances, family, guard
from understudy.spawners.base import Birth
from understudy.spawners.signals import STACKS
from understudy.status import Crash
from understudy.wire import messages
from understudy.wire.codec import prepare
from understudy.wire.page import FAULT_AT, Page, Phase
from understudy.wire.pickling import loads
from understudy.wire.sockets import Line, at

_MAX_REPORT = 1 << 30
_REHEARSALS = 10
"""After eight calls Python makes a function its own, and at the next it specializes what is in it."""


def rehearse() -> None:
    """In the zygote: do what is remembered once it is done, so that no child has to."""
    usual(ProcessConfig)
    for rule in walk(ProcessConfig):
        if rule.group is not None:
            usual(rule.group)
    forward()
    for kind in (*messages.REPORTS, *messages.ORDERS):
        prepare(kind)
    if not failpoints.armed():  # which are meant for lives that count
        for _ in range(_REHEARSALS):
            rehearsal.play_through()


@dataclass(slots=True)
class Wings:
    """What a process has ready before it knows its part."""

    leash: int
    bell: tuple[int, int]
    line: Line
    sections: Sections


def enter_wings(directory: str) -> Wings | None:
    """Make ready for any part; None if nobody is left to act for."""
    if os.getsid(0) != os.getpid():  # a fresh interpreter begins in a session of its own
        os.setsid()
    leash = guard.arm(directory)
    if leash is None:
        return None
    bell = os.pipe()
    for fd in bell:
        os.set_blocking(fd, False)
    sections = Sections(Page.blank(), Halt(bell[1]))
    sections.install()
    return Wings(leash, bell, Line(at(directory), _MAX_REPORT), sections)


def play_through() -> None:
    """While there is time: play a life through before one's own."""
    rehearsal.play_through()


def live(page_fd: int, birth_fd: int, wings: Wings | None = None) -> int:
    """Be one incarnation of an actor; the exit code.

    ``page_fd`` is its shared page, ``birth_fd`` the file with all that it is born with. ``wings`` is what a process
    that stood by has ready.
    """
    page = Page.at(page_fd)
    page.phase = Phase.BORN
    birth = Birth.from_file(birth_fd)
    failpoints.hit("child.boot", birth.incarnation)
    failpoints.hit("child.guard", birth.incarnation)
    wings = wings or enter_wings(birth.directory)
    if wings is None:
        return 0  # nobody is left to act for
    page.phase = Phase.GUARDED
    family.wear_mark(birth.system, birth.uid, birth.incarnation)
    circumstances.take(birth.place)
    circumstances.wear(family.marker(birth.system, birth.uid, birth.incarnation))
    circumstances.bear(birth.name)
    circumstances.apply_to_loggers(birth.levels)
    failpoints.load(os.environ.get(failpoints.VARIABLE))
    failpoints.hit("child.boot", birth.incarnation)
    # The fault handler writes from any state of the process into the page, behind what Python writes there.
    os.lseek(page_fd, FAULT_AT, os.SEEK_SET)
    faulthandler.enable(page_fd)
    faulthandler.register(STACKS, page_fd, all_threads=True, chain=False)
    output = None if birth.output is None else Output(birth.output, page)
    sys.stderr = Tee(sys.stderr, page)

    page.phase = Phase.CONNECTING
    line = wings.line
    halt = Halt(wings.bell[1])
    sections = wings.sections
    sections.enter(page, halt)
    outbox = Outbox(line, birth)
    link = Link(line, outbox, birth, wings.bell, wings.leash)
    forward().open(outbox, birth.name, birth.incarnation)
    forward_records()
    link.attend(halt, sections, Stacks(page, page_fd), output)
    link.start()
    link.obey_page(page)
    loop = Loop()
    actor = runtime.inside = Actor(birth, halt, sections, link, outbox)
    code = _open_and_play(page, birth, actor, halt, sections, link, outbox, loop)
    leave(page, line, link, outbox, loop, actor.serving, birth.incarnation)
    return code


def _open_and_play(
    page: Page, birth: Birth, actor: Actor, halt: Halt, sections: Sections, link: Link, outbox: Outbox, loop: Loop
) -> int:
    page.phase = Phase.OPENING
    try:
        failpoints.hit("child.open", birth.incarnation)
        known = len(sys.modules)
        process, config = loads([birth.blob])
        adopt(config, birth.settings)
        imported = list(sys.modules)[known:] if len(sys.modules) > known else []
        circumstances.apply_to_loggers(birth.levels)
        forward_records()
        part = part_of(process)
    except BaseException as error:  # noqa: BLE001 - a user's __setstate__ may raise anything, or exit
        told = Told(error)
        told.fill()  # the parent bounds it by the time for the start
        tag, words = outbox.tag(told.frames), Phase.OPENING.words
        outbox.say(messages.Error("", 0, words, None, told.name, told.text, told.story, {}, tag, tuple(told.frames)))
        link.judged.wait()
        return CRASHED
    part.inside = actor
    parts = (process, config, birth, halt, sections, outbox, link.office, loop, link.vigil)
    actor.begin_serving = lambda: serving_of(*parts)
    kind = type(process)
    if methods_of(kind) or not hasattr(kind, "__loop__"):
        actor.serving = actor.begin_serving()
    elif hasattr(kind, "__terminated__"):
        actor.attend()
    part.config = config
    link.take_on(config)
    sys.breakpointhook = Debugger(sections, link, halt, config, birth.terminal)
    failpoints.hit("child.ready", birth.incarnation)
    page.phase = Phase.READY
    outbox.say(messages.Ready(os.getpid(), None, imported))
    act = Act(process, config, actor, halt, sections, link, outbox, loop)
    os.register_at_fork(after_in_child=act.disown)
    link.obey_page(page)
    if birth.rites is not None:
        return act.hold_rites(Crash.from_dict(birth.rites))
    return act.play()
