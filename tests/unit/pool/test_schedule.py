"""Who gets which tasks: decided without a clock, a thread or a socket."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from understudy.pool.schedule import AHEAD, LATE, MOST, PATIENCE, Schedule

pytestmark = [pytest.mark.requirement("B1"), pytest.mark.requirement("B3")]


@dataclass(eq=False)
class Job:
    number: int
    priority: int = 0
    pace: Hashable = "same"
    wanted: bool = True

    def begin(self):
        return self.wanted


def schedule_of(size, *jobs, mode="async", joined=None):
    made: Schedule[Job] = Schedule(size, mode)
    for worker in range(1, (size if joined is None else joined) + 1):
        made.join(worker, 0.0)
    for job in jobs:
        made.backlog.append(job)
    return made


def jobs(count, **options):
    return [Job(number, **options) for number in range(count)]


def numbers(given):
    return {worker: [job.number for job in tasks] for worker, tasks in given}


def paced(made, seconds):
    """Once somebody has done such a task, it is known how long they take."""
    made.backlog.append(Job(10**6))
    ((worker, _), *_) = made.give(0.0)
    made.told(worker, 10**6, seconds, 0.0)
    return made


def test_each_worker_gets_one_before_anybody_gets_a_second():
    assert numbers(schedule_of(3, *jobs(3)).give(0.0)) == {1: [0], 2: [1], 3: [2]}


def test_a_worker_whose_tasks_are_of_unknown_length_gets_one_ahead():
    given = numbers(schedule_of(2, *jobs(10)).give(0.0))
    assert [len(tasks) for tasks in given.values()] == [2, 2]


def test_a_worker_gets_as_many_short_ones_as_make_a_few_milliseconds():
    made = paced(schedule_of(1), AHEAD / 8)
    for job in jobs(100):
        made.backlog.append(job)
    assert len(numbers(made.give(0.0))[1]) == 8
    assert made.give(0.0) == []


def test_no_worker_holds_more_than_a_claims_pipe_and_a_message_take():
    made = paced(schedule_of(1), 0.0)
    for job in jobs(2 * MOST):
        made.backlog.append(job)
    assert len(numbers(made.give(0.0))[1]) == MOST


def test_short_ones_are_shared_out_even_if_one_worker_could_hold_them_all():
    made = paced(schedule_of(4), 0.0)
    for job in jobs(20):
        made.backlog.append(job)
    given = numbers(made.give(0.0))
    assert sorted(len(tasks) for tasks in given.values()) == [5, 5, 5, 5]


def test_higher_priorities_come_first_and_each_in_the_order_of_arrival():
    made = schedule_of(1, Job(0), Job(1, priority=5), Job(2, priority=-1), Job(3, priority=5), Job(4))
    order = []
    while given := made.give(0.0):
        for worker, tasks in given:
            for job in tasks:
                order.append(job.number)
                made.told(worker, job.number, 1.0, 0.0)
    assert order == [1, 3, 0, 4, 2]


def test_what_is_not_wanted_any_more_is_passed_over_and_told():
    made = schedule_of(1, Job(0, wanted=False), Job(1))
    assert numbers(made.give(0.0)) == {1: [1]}
    assert [job.number for job in made.backlog.dropped] == [0]


def test_a_worker_that_is_gone_leaves_what_it_had_begun_and_others_do_the_rest_first():
    made = paced(schedule_of(1), 0.0)
    for job in jobs(4):
        made.backlog.append(job)
    made.give(0.0)
    made.backlog.append(Job(9))
    assert [job.number for job in made.leave(1, [2, 3])] == [0, 1]
    assert [job.number for job in made.backlog] == [2, 3, 9]
    assert made.leave(1) == []


def test_what_waits_behind_a_silent_worker_is_taken_back_when_another_has_nothing_to_do():
    made = paced(schedule_of(2), 0.0)
    for job in jobs(8):
        made.backlog.append(job)
    given = numbers(made.give(0.0))
    assert made.spare(0.0) == ([], LATE), "nobody is idle"
    for number in given[2]:
        made.told(2, number, 0.0, 0.001)
    assert made.spare(0.001) == ([], PATIENCE), "he may be about to say something"
    ((worker, count),), due = made.spare(PATIENCE)
    assert (worker, count) == (1, 2)
    assert due == 2 * PATIENCE
    made.returned(1, given[1][1:3])
    assert numbers(made.give(PATIENCE)) == {2: given[1][1:3]}


def test_who_was_robbed_gets_nothing_ahead_until_he_tells_of_what_he_does():
    made = paced(schedule_of(2), 0.0)
    for job in jobs(4):
        made.backlog.append(job)
    given = numbers(made.give(0.0))
    for number in given[2]:
        made.told(2, number, 0.0, 0.001)
    made.returned(1, given[1][1:])
    made.backlog.append(Job(9))
    assert {worker for worker, _ in made.give(0.01)} == {2}
    made.told(1, given[1][0], 0.01, 0.01)
    made.backlog.append(Job(10))
    assert {worker for worker, _ in made.give(0.01)} == {1}


def test_all_that_waits_behind_a_long_one_is_taken_back_whoever_has_something_to_do():
    made = schedule_of(1, *jobs(3))
    assert numbers(made.give(0.0)) == {1: [0, 1]}
    assert made.spare(LATE / 2) == ([], LATE)
    assert made.spare(LATE) == ([(1, 2)], None)
    made.returned(1, [1])  # the first one is begun: that cannot be had
    assert [job.number for job in made.backlog] == [1, 2]
    assert made.give(LATE) == []
    assert made.spare(100.0) == ([], None)


def test_in_step_the_next_batch_begins_when_the_last_one_is_done():
    made = schedule_of(2, *jobs(5), mode="parallel")
    assert numbers(made.give(0.0)) == {1: [0], 2: [1]}
    made.told(1, 0, 1.0, 1.0)
    assert made.give(1.0) == []
    assert made.spare(100.0) == ([], None)
    made.told(2, 1, 1.0, 1.0)
    assert numbers(made.give(1.0)) == {1: [2], 2: [3]}


def test_in_step_a_batch_waits_until_all_workers_it_needs_are_there():
    made = schedule_of(3, *jobs(3), mode="parallel", joined=2)
    assert made.give(0.0) == []
    made.join(3, 0.0)
    assert numbers(made.give(0.0)) == {1: [0], 2: [1], 3: [2]}


class Scheduling(RuleBasedStateMachine):
    """Whatever happens in whatever order: each task is in one place, and none is lost or done twice."""

    def __init__(self):
        super().__init__()
        self.now, self.last, self.workers = 0.0, 0, 0
        self.made: Schedule[Job] = Schedule(4)
        self.open: set[int] = set()
        self.begun: dict[int, list[int]] = {}
        """By the worker what it holds, in order: it begins the first."""

    @rule(count=st.integers(1, 20), priority=st.integers(-1, 1), pace=st.sampled_from("ab"))
    def submit(self, count, priority, pace):
        for _ in range(count):
            self.last += 1
            self.open.add(self.last)
            self.made.backlog.append(Job(self.last, priority, pace))

    @precondition(lambda self: len(self.begun) < 4)
    @rule()
    def join(self):
        self.workers += 1
        self.begun[self.workers] = []
        self.made.join(self.workers, self.now)

    @rule()
    def give(self):
        for worker, tasks in self.made.give(self.now):
            self.begun[worker].extend(job.number for job in tasks)
        if any(not held for held in self.begun.values()):
            assert not self.made.backlog

    @precondition(lambda self: any(self.begun.values()))
    @rule(data=st.data(), seconds=st.sampled_from([0.0, 0.0001, 0.01]))
    def tell(self, data, seconds):
        worker = data.draw(st.sampled_from(sorted(worker for worker, held in self.begun.items() if held)))
        number = self.begun[worker].pop(0)
        self.now += seconds
        job = self.made.told(worker, number, seconds, self.now)
        assert job is not None
        assert job.number == number
        self.open.remove(number)
        assert self.made.told(worker, number, seconds, self.now) is None

    @precondition(lambda self: bool(self.begun))
    @rule(data=st.data(), begun=st.integers(0, 2))
    def die(self, data, begun):
        worker = data.draw(st.sampled_from(sorted(self.begun)))
        held = self.begun.pop(worker)
        lost = self.made.leave(worker, held[begun:])
        assert sorted(job.number for job in lost) == sorted(held[:begun])
        self.open.difference_update(held[:begun])

    @rule()
    def rebalance(self):
        self.now += PATIENCE
        spare, _ = self.made.spare(self.now)
        for worker, count in spare:
            held = self.begun[worker]
            back = held[1 : 1 + count]  # the first one is begun
            del held[1 : 1 + count]
            self.made.returned(worker, back)

    @invariant()
    def each_task_is_in_one_place(self):
        waiting = [job.number for job in self.made.backlog]
        held = [number for numbers in self.begun.values() for number in numbers]
        assert len(waiting) == len(self.made.backlog)
        assert sorted(waiting + held) == sorted(self.open)
        known = [number for desk in self.made.desks.values() for number in desk.given]
        assert sorted(known) == sorted(held)
        assert all(desk.ahead > -1e-9 for desk in self.made.desks.values())


Scheduling.TestCase.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
TestScheduling = Scheduling.TestCase
