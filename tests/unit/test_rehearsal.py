"""The life that a process plays through while it stands by: all of it, and nothing stays of it."""

import subprocess
import sys

_PROGRAM = """
import gc, logging, os, signal, sys, threading

from understudy import runtime
from understudy.engine import act, boot, link
from understudy.spawners.guard import Leash

directory = sys.argv[1]
leash = Leash(directory)
boot.rehearse()
wings = boot.enter_wings(directory)
codes, play = [], act.Act.play
act.Act.play = lambda self: codes.append(play(self))

def say(frames):
    raise AssertionError(f"said: {frames}")

wings.line.report = wings.line.report_nowait = say

def surroundings():
    return [
        sorted(os.listdir("/proc/self/fd")), threading.active_count(), dict(os.environ), os.getcwd(), os.umask(0o22),
        [signal.getsignal(number) for number in signal.valid_signals()], signal.pthread_sigmask(signal.SIG_BLOCK, ()),
        sys.stderr, sys.breakpointhook, runtime.inside, wings.sections.page.place, wings.sections._halt.level,
        sum(isinstance(one, (act.Act, link.Link)) for one in gc.get_objects()), len(sys.modules),
    ]

os.umask(0o22)
boot.play_through(wings, directory)  # what is imported and made once, is
before = surroundings()
boot.play_through(wings, directory)
after = surroundings()
assert before == after, [pair for pair in zip(before, after) if pair[0] != pair[1]]
assert codes == [0, 0] and before[-2] == 0, codes
print("whole")
"""


def test_a_life_that_is_played_through_says_nothing_and_leaves_its_process_as_it_was(tmp_path) -> None:
    program = [sys.executable, "-c", _PROGRAM, str(tmp_path)]
    run = subprocess.run(program, capture_output=True, text=True, timeout=60, check=False, start_new_session=True)
    assert (run.stdout, run.stderr) == ("whole\n", "")
