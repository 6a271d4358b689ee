"""Frames of an earlier incarnation, of another actor or another system arrive late: dropped, and counted."""

from __future__ import annotations

import pytest
import zmq

from tests.reaching import connect
from tests.stage import note, noted, until
from understudy import Process, Status
from understudy.wire import messages
from understudy.wire.codec import encode
from understudy.wire.keys import tag
from understudy.wire.messages import Identity
from understudy.wire.pickling import dump_frames
from understudy.wire.sockets import topic


class Lasting(Process):
    """Lives twice; the second life lasts."""

    def __init__(self, told):
        self.told = told
        self.config.lives = 2
        self.config.heartbeat.interval = 0.1

    def __loop__(self):
        note(self.told, self.incarnation)
        if self.incarnation == 1:
            raise RuntimeError("no luck")
        self.sleep(600)

    def __result__(self):
        return "of the second life"


@pytest.fixture
def late(system):
    """Sends frames to the system as a child of it would, and says how many were counted since."""
    context = zmq.Context()
    push = context.socket(zmq.PUSH)
    push.linger = 2000
    connect(push, system.endpoint, "reports")
    world = system._world

    def send(uid, incarnation, message, system_id=None):
        identity = Identity(system_id or world.system, uid, incarnation, 7)
        push.send_multipart(encode(identity, message))

    yield send
    push.close()
    context.term()


def held(system):
    """Everything that a life could have said, with the right key."""
    key = system._world.key
    frames = dump_frames("of the first life", "result")
    crash = messages.Error("loop", 1, "", None, "ValueError", "late", "", {}, None, ())
    return [
        messages.Ready(1),
        messages.Beat(),
        messages.Heard(1),
        messages.Progress(99.0, "late"),
        messages.Finishing("late", stop=True),
        messages.KillMe(),
        crash,
        messages.Result({}, tag(key, frames), tuple(frames)),
        messages.Rites("fallback", "", "", "", {}, None, tag(key, frames), tuple(frames)),
        messages.Bye(["late"]),
    ]


@pytest.mark.fault("F40")
@pytest.mark.requirement("L6")
def test_what_a_former_life_said_changes_nothing_for_the_next_and_is_counted(system, late, tmp_path):
    told = tmp_path / "told"
    ref = system.spawn(Lasting, told)
    noted(told, 2)
    until(lambda: ref.info().status is Status.RUNNING)
    info, history, stale = ref.info(), len(ref.history()), system._world.registry.stale
    frames = held(system)
    for message in frames:
        late(ref.uid, 1, message)
    until(lambda: system._world.registry.stale >= stale + len(frames), what="the count of stale frames")
    assert system._world.registry.stale == stale + len(frames)
    after = ref.info()
    assert (after.status, after.incarnation, after.pid, after.progress, after.note) == (
        Status.RUNNING,
        2,
        info.pid,
        None,
        None,
    )
    assert len(ref.history()) == history == 2
    assert ref.stop() == "asked"
    assert ref.wait(20) is Status.FINISHED
    assert ref.result(0) == "of the second life"


@pytest.mark.fault("F40")
@pytest.mark.requirement("L6")
def test_what_is_said_for_the_ended_the_unborn_and_another_system_changes_nothing(system, late, tmp_path):
    told = tmp_path / "told"
    ended = system.spawn(note, told, "ended", name="role")
    assert ended.wait(20) is Status.FINISHED
    living = system.spawn(Lasting, told, name="role")
    noted(told, 3)
    until(lambda: living.info().status is Status.RUNNING)
    stale, dropped = system._world.registry.stale, system._world.dropped
    frames = held(system)
    for message in frames:
        late(ended.uid, 1, message)
        late(living.uid, 3, message)
        late(999, 1, message)
        late(living.uid, 2, message, system_id="another.system")
    until(lambda: system._world.registry.stale >= stale + 3 * len(frames))
    until(lambda: system._world.dropped >= dropped + len(frames))
    assert ended.wait(0) is Status.FINISHED
    assert ended.result(0) is None
    assert living.info().status is Status.RUNNING
    assert living.info().incarnation == 2
    living.stop()
    assert living.wait(20) is Status.FINISHED
    assert living.result(0) == "of the second life"


@pytest.mark.fault("F40")
def test_orders_for_a_former_life_are_not_obeyed_by_the_next(system, tmp_path):
    told = tmp_path / "told"
    ref = system.spawn(Lasting, told)
    noted(told, 2)
    until(lambda: ref.info().status is Status.RUNNING)
    world, name = system._world, system._world.system
    stop = messages.Orders(9, stop="stop", verdict="end", acknowledged=True)
    for to in (1, 2):
        for by in (Identity(name, ref.uid, 1, 9), Identity(name, ref.uid + 1, 2, 9)):
            envelope = encode(by, stop)[0]
            system._calls.make(
                lambda to=to, envelope=envelope: world.hub.send_orders(topic(name, ref.uid, to), envelope)
            )
    system._calls.make(lambda: world.hub.send_orders(topic(name, ref.uid, 2), b"\xc1 no order"))
    # Its heartbeats go on: what was sent before the last of them has been read.
    for _ in range(3):
        system._calls.make(lambda: None)
        until(lambda: (ref.info().heartbeat_age or 9) > 0.05)
        until(lambda: (ref.info().heartbeat_age or 9) < 0.05)
    assert ref.info().status is Status.RUNNING
    assert ref.stop() == "asked"
    assert ref.wait(20) is Status.FINISHED
