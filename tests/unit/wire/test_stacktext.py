"""What a dump of stacks says, put into order."""

from __future__ import annotations

import faulthandler
import os
import tempfile
import threading

from understudy.wire.stacktext import cut, ordered

DUMP = """Thread 0x00007f0000000003 (most recent call first):
  File "/c.py", line 3 in c

Thread 0x00007f0000000002 (most recent call first):
  File "/b.py", line 2 in b
  File "/b.py", line 9 in run

Current thread 0x00007f0000000001 (most recent call first):
  File "/a.py", line 1 in a
"""
ONE, TWO, THREE = 0x7F0000000001, 0x7F0000000002, 0x7F0000000003


def heads(text: str) -> list[str]:
    return [line for line in text.splitlines() if line.startswith("Thread")]


def test_the_thread_that_is_meant_comes_first_ours_last_and_those_with_names_bear_them():
    text = ordered(DUMP, TWO, {TWO: "MainThread", ONE: "ours"}, {ONE})
    assert heads(text) == [
        'Thread 0x00007f0000000002 "MainThread" (most recent call first):',
        "Thread 0x00007f0000000003 (most recent call first):",
        'Thread 0x00007f0000000001 "ours" (most recent call first):',
    ]
    assert text.split("\n\n")[0].splitlines()[1:] == ['  File "/b.py", line 2 in b', '  File "/b.py", line 9 in run']


def test_without_one_that_is_meant_the_one_that_wrote_comes_first():
    assert heads(ordered(DUMP, None, {}))[0] == "Thread 0x00007f0000000001 (most recent call first):"


def test_what_is_no_dump_stays_as_it_is():
    assert ordered("", 1, {}) == ""
    assert ordered("some words", 1, {}) == "some words"
    text = ordered("Fatal Python error: Aborted\n\n" + DUMP, THREE, {})
    assert text.startswith("Fatal Python error: Aborted\n\nThread 0x00007f0000000003")


def test_a_dump_of_this_python_is_understood():
    with tempfile.TemporaryFile() as file:
        faulthandler.dump_traceback(file, all_threads=True)
        text = os.pread(file.fileno(), 1 << 20, 0).decode()
    me = threading.get_ident()
    first = ordered(text, me, {me: "me"}).split("\n\n")[0]
    assert first.splitlines()[0] == f'Thread 0x{me:016x} "me" (most recent call first):'
    assert "test_a_dump_of_this_python_is_understood" in first


def test_what_is_cut_says_how_much_is_missing():
    assert cut(b"x" * 100, 100) == b"x" * 100
    short = cut(b"x" * 200, 100)
    assert len(short) <= 100
    assert short.endswith(b"\n... 100 bytes more\n")
