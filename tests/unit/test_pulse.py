"""Whether one thread holds the interpreter, by what is seen of a process's threads."""

from __future__ import annotations

import os
import signal
import time

from understudy.spawners.pulse import Look, Pulse, heeds, look


def felt(*looks: Look) -> bool:
    pulse = Pulse()
    for one in looks:
        pulse.feel(one)
    return pulse.is_held


def test_one_that_uses_all_that_is_used_holds_it():
    begun: Look = {1: ("R", 10), 2: ("S", 3), 3: ("S", 0)}
    assert felt(begun, {1: ("R", 20), 2: ("S", 3), 3: ("S", 0)})
    assert felt(begun, {1: ("R", 30), 2: ("R", 4), 3: ("S", 0)}), "who waits uses a little, too"


def test_where_several_use_some_it_goes_from_hand_to_hand():
    begun: Look = {1: ("R", 10), 2: ("S", 3), 3: ("S", 0)}
    assert not felt(begun, {1: ("R", 14), 2: ("S", 6), 3: ("S", 2)})
    assert not felt({1: ("S", 0), 2: ("S", 0)}, {1: ("R", 6), 2: ("S", 4)})


def test_where_nobody_runs_somebody_sleeps_with_it():
    still: Look = {1: ("S", 10), 2: ("S", 3)}
    assert not felt(still, still), "two looks are too few"
    assert felt(*[still] * 6)
    woken: Look = {1: ("S", 10), 2: ("R", 3)}
    assert felt(*[still, still, woken] * 3), "who waits wakes up now and then"


def test_where_little_is_used_and_somebody_would_run_nothing_can_be_said():
    starved: Look = {1: ("R", 10), 2: ("S", 3)}
    assert not felt(*[starved] * 20)
    assert not felt()
    assert not felt(*[{}] * 1)


def test_what_hardly_ran_is_faint_until_it_says_something():
    pulse = Pulse()
    begun: Look = {1: ("R", 10), 2: ("S", 3)}
    for seen in (begun, begun, {1: ("R", 12), 2: ("S", 3)}):
        pulse.feel(seen)
        assert pulse.is_faint
    pulse.feel({1: ("R", 20), 2: ("S", 3)})
    assert (pulse.is_faint, pulse.is_held) == (False, True)


def test_threads_of_a_process_are_seen():
    began = look(os.getpid())
    assert os.getpid() in began
    until = time.process_time() + 0.05
    while time.process_time() < until:
        pass
    assert look(os.getpid())[os.getpid()][1] > began[os.getpid()][1]
    assert look(2**22 + 1) == {}


def test_whether_a_signal_is_heeded_is_seen():
    number = signal.SIGRTMAX - 5
    assert not heeds(os.getpid(), number)
    signal.signal(number, lambda *_: None)
    try:
        assert heeds(os.getpid(), number)
    finally:
        signal.signal(number, signal.SIG_DFL)
    assert not heeds(2**22 + 1, number)
