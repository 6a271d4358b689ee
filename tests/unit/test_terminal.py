"""A terminal on which several take turns."""

from __future__ import annotations

import os
import pty

import pytest

from understudy import terminal
from understudy.terminal import Terminal


@pytest.fixture
def path():
    ours, theirs = pty.openpty()
    yield os.ttyname(theirs)
    os.close(ours)
    os.close(theirs)


def test_one_holds_it_and_the_other_does_not(path):
    one, other = Terminal(path), Terminal(path)
    one.hold()
    assert not other.try_hold()
    assert other.is_held_elsewhere()
    one.let_go()
    assert not other.is_held_elsewhere()
    assert other.try_hold()
    assert not one.try_hold()
    for each in (one, other):
        each.close()


def test_who_forgets_it_lets_go(path):
    one, other = Terminal(path), Terminal(path)
    one.hold()
    one.close()
    assert other.try_hold()
    other.close()


def test_a_standard_input_that_is_no_terminal_has_no_path(monkeypatch):
    def no_terminal(_fd: int) -> str:
        raise OSError(25, "Inappropriate ioctl for device")

    monkeypatch.setattr(os, "ttyname", no_terminal)
    assert terminal.of_input() is None
