"""The life that a process plays through while it stands by: all of it, and nothing stays of it."""

import subprocess
import sys

_PROGRAM = """
import gc, logging, os, signal, sys, threading

from understudy import runtime
from understudy.engine import act, boot, link
from understudy.wire.sockets import Line

boot.rehearse()
codes, play = [], act.Act.play
act.Act.play = lambda self: codes.append(play(self))

def say(self, frames):
    raise AssertionError(f"said: {frames}")

Line.report = Line.report_nowait = say

def surroundings():
    return [
        sorted(os.listdir("/proc/self/fd")), threading.active_count(), dict(os.environ), os.getcwd(), os.umask(0o22),
        [signal.getsignal(number) for number in signal.valid_signals()], signal.pthread_sigmask(signal.SIG_BLOCK, ()),
        sys.stderr, sys.breakpointhook, runtime.inside, logging.getLogger().level, logging.root.manager.disable,
        [(one.level, one.handlers[:]) for one in logged],
        sum(isinstance(one, (act.Act, link.Link)) for one in gc.get_objects()), len(sys.modules),
    ]

os.umask(0o22)
logged = [logging.getLogger(), logging.getLogger("somebody's")]
for one in logged:
    one.setLevel(33)
    one.addHandler(logging.NullHandler())
before = surroundings()
boot.play_through()
after = surroundings()
assert before == after, [pair for pair in zip(before, after) if pair[0] != pair[1]]
assert codes == [0] and before[-2] == 0, codes
print("whole")
"""


def test_a_life_that_is_played_through_says_nothing_and_leaves_its_process_as_it_was() -> None:
    program = [sys.executable, "-c", _PROGRAM]
    run = subprocess.run(program, capture_output=True, text=True, timeout=60, check=False)
    assert (run.stdout, run.stderr) == ("whole\n", "")
