"""What a dump of stacks says, put into order."""

from __future__ import annotations

import faulthandler
import os
import sys
import tempfile
import threading

from understudy.wire.stacktext import DEEPEST, Steps, cut, ordered, written

DUMP = """Thread 0x00007f0000000003 (most recent call first):
  File "/c.py", line 3 in c

Thread 0x00007f0000000002 (most recent call first):
  File "/b.py", line 2 in b
  File "/b.py", line 9 in run

Current thread 0x00007f0000000001 (most recent call first):
  File "/a.py", line 1 in a
"""


def heads(text: str) -> list[str]:
    return [line for line in text.splitlines() if line.startswith("Thread")]


def test_the_thread_that_wrote_comes_first_the_others_in_their_order():
    text = ordered(DUMP)
    assert heads(text) == [f"Thread 0x00007f000000000{number} (most recent call first):" for number in (1, 3, 2)]
    assert text.split("\n\n")[2].splitlines()[1:] == ['  File "/b.py", line 2 in b', '  File "/b.py", line 9 in run']


def test_what_is_no_dump_stays_as_it_is():
    assert ordered("") == ""
    assert ordered("some words") == "some words"
    text = ordered("Fatal Python error: Aborted\n\n" + DUMP)
    assert text.startswith("Fatal Python error: Aborted\n\nThread 0x00007f0000000001")


def test_a_dump_of_this_python_is_understood():
    with tempfile.TemporaryFile() as file:
        faulthandler.dump_traceback(file, all_threads=True)
        text = os.pread(file.fileno(), 1 << 20, 0).decode()
    first = ordered(text).split("\n\n")[0]
    assert first.splitlines()[0] == f"Thread 0x{threading.get_ident():016x} (most recent call first):"
    assert "test_a_dump_of_this_python_is_understood" in first


def test_stacks_are_written_as_the_fault_handler_does():
    frame = sys._getframe()
    steps: Steps = [(frame.f_code, frame.f_lineno), (test_what_is_no_dump_stays_as_it_is.__code__, None)]
    text = written({1: steps, 2: steps[:1] * DEEPEST}, [2, 1], {1: "MainThread"})
    deep, main = text.split("\n\n")
    assert main.splitlines() == [
        'Thread 0x0000000000000001 "MainThread" (most recent call first):',
        f'  File "{__file__}", line {steps[0][1]} in test_stacks_are_written_as_the_fault_handler_does',
        f'  File "{__file__}", line ??? in test_what_is_no_dump_stays_as_it_is',
    ]
    assert deep.splitlines()[0] == "Thread 0x0000000000000002 (most recent call first):"
    assert (len(deep.splitlines()), deep.splitlines()[-1]) == (DEEPEST + 2, "  ...")


def test_what_is_cut_says_how_much_is_missing():
    assert cut(b"x" * 100, 100) == b"x" * 100
    short = cut(b"x" * 200, 100)
    assert len(short) <= 100
    assert short.endswith(b"\n... 100 bytes more\n")
