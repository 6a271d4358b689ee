"""Mail sockets: what a signal's handler raises amid a message is no part of the next one."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.unit.wire.fire import under_fire
from understudy.wire.sockets import Exchange, Inlet, Outlet, at


@pytest.fixture
def ends(tmp_path: Path) -> Iterator[tuple[Inlet, Outlet, bytes]]:
    reading, writing = os.pipe()
    exchange = Exchange(at(str(tmp_path)))
    inlet, outlet = exchange.inlet(1, 1, reading, 100), exchange.outlet(b"a sender")
    yield inlet, outlet, outlet.connect(1, 1)
    outlet.close(0)
    inlet.close(0)
    exchange.close()
    os.close(reading)
    os.close(writing)


FRAMES = [b"%d" % number for number in range(20)]
END = [b"the end"]


@pytest.mark.requirement("E3")
def test_a_message_that_is_struck_amid_its_sending_ends_with_an_empty_frame(ends: tuple[Inlet, Outlet, bytes]):
    inlet, outlet, route = ends
    struck = under_fire(lambda: outlet.send(route, FRAMES), 4000)
    outlet.send(route, END)
    whole = 0
    while True:
        inlet.wait(20)
        _, *came = inlet.take_ready() or []
        if came == END:
            break
        if came == FRAMES:
            whole += 1
        else:
            assert came == [*FRAMES[: len(came) - 1], b""]
    assert whole >= 4000 - struck


# What strikes as a frame is let go, pyzmq can only print.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.requirement("E3")
def test_of_a_message_that_is_struck_as_it_is_taken_no_rest_is_left(ends: tuple[Inlet, Outlet, bytes]):
    inlet, outlet, route = ends
    taken: list[Any] = []

    def take() -> None:
        outlet.send_one(route, b"first")
        outlet.send(route, FRAMES)
        while (frames := inlet.take()) is not None:
            taken.append(frames[1:])

    under_fire(take, 2000)
    outlet.send(route, END)
    while taken[-1:] != [END]:
        inlet.wait(20)
        taken.append((inlet.take_ready() or [])[1:])
    for came in taken:
        assert came in ([b"first"], FRAMES, END, [*FRAMES[: len(came) - 1], b""])


def test_who_was_interrupted_as_it_connected_and_does_so_again_has_one_way(ends: Any, tmp_path: Path):
    """Of two, whichever comes later would take the name from the one by which it sends."""
    _, outlet, _ = ends
    exchange = Exchange(at(str(tmp_path)))
    reading, writing = os.pipe()
    lives: list[int] = []
    whole: list[int] = []

    def connect() -> None:
        lives.append(len(lives) + 2)
        outlet.connect(1, lives[-1])
        whole.append(lives[-1])

    under_fire(connect, 120)
    for life in sorted({*lives} - {*whole}):
        mailbox = socket.socket(socket.AF_UNIX)
        mailbox.settimeout(20)
        path = tmp_path / f"m1.{life}"
        mailbox.bind(str(path))
        mailbox.listen()
        route = outlet.connect(1, life)
        assert outlet.connect(1, life) == route
        with mailbox, mailbox.accept()[0]:
            mailbox.settimeout(0.02)
            with pytest.raises(TimeoutError):
                mailbox.accept()
        path.unlink()
        inlet = exchange.inlet(1, life, reading, 100)
        for number in range(10):
            outlet.send_one(route, b"%d" % number)
            came = b""  # so it asks whether it is connected
            while not came:
                assert inlet.wait(10)[0], "it comes"
                sender, came = inlet.take_ready() or []
                assert sender == b"a sender"
            assert came == b"%d" % number
        outlet.disconnect(1, life)
        assert outlet.connect(1, life) != route, "libzmq ends the process that connects by the same route twice"
        inlet.close(0)
    exchange.close()
    os.close(reading)
    os.close(writing)
