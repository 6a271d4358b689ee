"""What processes say on their way to a program, and in which order that is told beside the zygote's own news."""

from __future__ import annotations

import os
import socket

import pytest

from understudy.spawners.base import Born, Executed, Gone, NotExecuted, Remarked
from understudy.spawners.thresholds import BEGINS, FAILED, NOTICES, REMARK, Thresholds
from understudy.wire.codec import pack


@pytest.fixture
def thresholds():
    made = Thresholds()
    yield made
    made.close()


class Process:
    """The other end of a threshold."""

    def __init__(self, thresholds: Thresholds, uid: int) -> None:
        self.end = socket.socket(fileno=thresholds.begin(uid, 1)[0])

    def says(self, *word: object) -> Process:
        self.end.send(pack(list(word)))
        return self

    def closes(self) -> None:
        self.end.close()


def heard(thresholds, *news):
    thresholds.listen()
    return thresholds.woven(list(news))


def test_an_end_after_the_word_that_it_begins_is_an_exec_and_no_other_end_is(thresholds):
    begins, fails, dies = (Process(thresholds, uid) for uid in (1, 2, 3))
    begins.says(REMARK, "no file").says(BEGINS, {})
    fails.says(BEGINS, {}).says(FAILED, "OSError", "is no program")
    assert heard(thresholds) == [Remarked(1, 1, "no file"), NotExecuted(2, 1, "OSError", "is no program")]
    for one in (begins, fails, dies):
        one.closes()
    assert heard(thresholds) == [Executed(1, 1)]
    assert heard(thresholds) == []


def test_its_words_come_after_its_birth_and_before_its_death(thresholds):
    one = Process(thresholds, 1)
    thresholds.listen()
    one.says(BEGINS, {}).closes()  # after that look, and before the channels were read
    born, gone = Born(1, 1, 7), Gone(1, 1, 0, None, None)
    assert thresholds.woven([gone, born]) == [born, Executed(1, 1), gone]
    assert not thresholds.has_more


def test_the_words_of_others_wait_until_their_births_were_read(thresholds):
    Process(thresholds, 2).says(BEGINS, {}).closes()
    gone = Gone(1, 1, 0, None, None)
    assert thresholds.woven([gone]) == [gone]
    assert thresholds.has_more
    born = Born(2, 1, 8)
    assert heard(thresholds, born) == [born, Executed(2, 1)]


def test_a_socket_for_its_notices_is_handed_on_with_the_exec_or_closed(thresholds):
    for uid, word in ((1, BEGINS), (2, "")):
        one = Process(thresholds, uid)
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
        with ours, theirs:
            socket.send_fds(one.end, [pack([NOTICES])], [theirs.fileno()])
            if word:
                one.says(word, {})
            one.closes()
            news = heard(thresholds)
            theirs.close()
            if word:
                (executed,) = news
                assert not executed.notices.get_inheritable(), "what the user starts has no part in it"
                ours.send(b"READY=1")
                assert executed.notices.recv(100) == b"READY=1"
                executed.notices.close()
            else:
                assert news == []
            with pytest.raises(ConnectionError):
                ours.send(b"READY=1")


def test_a_threshold_that_nobody_crosses_leaves_no_descriptor(thresholds):
    before = len(os.listdir("/proc/self/fd"))
    for uid in range(10):
        Process(thresholds, uid).closes()
    assert heard(thresholds) == []
    assert len(os.listdir("/proc/self/fd")) == before
