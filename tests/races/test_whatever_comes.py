"""Real processes through spawns, stops, kills, crashes, pauses and messages in any order, watched from outside."""

from __future__ import annotations

import contextlib
import logging
import os
import signal
import time
from collections import Counter, defaultdict
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from tests.stage import note, notes, until
from understudy import ActorDied, ActorError, ActorInfo, ActorSystem, NameTaken, Observer, Process, Status

LONG = 60
NAMES = ("w", "w1", "w10")
picks = st.integers(0, 5)
CRASHES = ("raises", "exits", "is killed", "aborts", "overruns")


class Subject(Process):
    """Notes when a life begins and what it handles, with who and in which life it is; crashes as it is told to."""

    def __init__(self, said: str, lives: int) -> None:
        self.said = said
        self.config.lives = lives
        self.config.restart.backoff.base = 0
        self.config.timeouts.receive = 0.5

    def __preloop__(self) -> None:
        self.uid = self.system.ref(self.name).uid
        note(self.said, f"{self.uid} {self.incarnation} up")

    def __receive__(self, message: Any) -> None:
        match message:
            case int():
                note(self.said, f"{self.uid} {self.incarnation} {message}")
            case "raises":
                raise ValueError("on purpose")
            case "exits":
                os._exit(3)
            case "is killed":
                os.kill(os.getpid(), signal.SIGKILL)
            case "aborts":
                os.abort()
            case "overruns":
                time.sleep(LONG)


class Witness(Process):
    """Watches whom it is told to, and notes whose end it is told."""

    def __init__(self, said: str) -> None:
        self.said = said
        self.config.lives = 1_000
        self.config.restart.backoff.base = 0

    def __receive__(self, ref: Any) -> None:
        self.watch(ref)

    def __terminated__(self, info: ActorInfo) -> None:
        note(self.said, f"{info.uid} {info.status}")


class World(RuleBasedStateMachine):
    """Rules are what a program and its surroundings may do; what must hold is asserted at each step, and at the end."""

    place: Path
    """Where the actors note what they do; set by who runs this."""
    count = 0

    def __init__(self) -> None:
        super().__init__()
        World.count += 1
        self.said = str(self.place / f"said-{World.count}")
        self.system = ActorSystem()
        self.refs: dict[str, Any] = {}
        """The last of each name."""
        self.all: list[Any] = []
        self.lives: dict[int, int] = {}
        self.seen: dict[int, int] = defaultdict(int)
        """The last life of each that was seen."""
        self.stopped: dict[int, int] = {}
        """Of each that was told to end its life then; no other one may follow."""
        self.ends: list[tuple[int, Status]] = []
        self.told: dict[int, int] = {}
        """To whom each number was told reliably."""
        self.observers: list[Observer] = []
        self.witnessed = f"{self.said}.witnessed"
        self.witness = self.system.spawn(Witness, self.witnessed, name="witness")

    @initialize()
    def begins(self) -> None:
        for name in NAMES[:2]:
            self.spawn(name, 4)

    @rule(name=st.sampled_from(NAMES), lives=st.sampled_from([1, 2, 4]))
    def spawn(self, name: str, lives: int) -> None:
        last = self.refs.get(name)
        has_ended = last is None or last.done()
        try:
            ref = self.system.spawn(Subject, self.said, lives, name=name)
        except NameTaken:
            assert not has_ended
            return
        assert last is None or last.done()
        ref.on_exit(lambda info: self.ends.append((info.uid, info.status)))
        self.refs[name] = ref
        self.all.append(ref)
        self.lives[ref.uid] = lives
        self.witness.tell(ref, reliable=True)

    @precondition(lambda self: self.refs)
    @rule(number=picks, verb=st.sampled_from(["stop", "stop", "kill"]))
    def is_ended(self, number: int, verb: str) -> None:
        ref = self.drawn(number)
        getattr(ref, verb)()
        self.stopped.setdefault(ref.uid, ref.info().incarnation)

    @precondition(lambda self: self.refs)
    @rule(number=picks, verb=st.sampled_from(["pause", "resume"]))
    def stands_still(self, number: int, verb: str) -> None:
        getattr(self.drawn(number), verb)()

    @precondition(lambda self: self.refs)
    @rule(number=picks, way=st.sampled_from(CRASHES))
    def crashes(self, number: int, way: str) -> None:
        with contextlib.suppress(ActorDied):
            self.drawn(number).tell(way)

    @precondition(lambda self: self.refs)
    @rule(number=picks)
    def is_killed_from_outside(self, number: int) -> None:
        self.ends_from_outside(self.drawn(number))

    def ends_from_outside(self, ref: Any) -> None:
        pid = ref.info().pid
        if pid is not None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    @precondition(lambda self: self.refs)
    @rule(number=picks, count=st.integers(1, 20))
    def is_told(self, number: int, count: int) -> None:
        ref = self.drawn(number)
        for _ in range(count):
            with contextlib.suppress(ActorDied):
                ref.tell(len(self.told), reliable=True)
                self.told[len(self.told)] = ref.uid

    @rule()
    def loses_its_witness(self) -> None:
        self.ends_from_outside(self.witness)

    @rule()
    def loses_its_zygote(self) -> None:
        zygotes: Any = self.system._world.spawners["process"]
        for pid in zygotes.pids[-1:]:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    @precondition(lambda self: len(self.observers) < 2)
    @rule()
    def is_observed(self) -> None:
        self.observers.append(Observer(self.system.endpoint, timeout=LONG).__enter__())

    def drawn(self, number: int) -> Any:
        """The last one that bore one of the names."""
        return list(self.refs.values())[number % len(self.refs)]

    # --- what holds at all times

    @invariant()
    def lives_only_rise_within_the_budget_and_none_follows_a_stop(self) -> None:
        for ref in self.all:
            life = ref.info().incarnation
            assert self.seen[ref.uid] <= life <= self.lives[ref.uid]
            assert life <= self.stopped.get(ref.uid, life)
            self.seen[ref.uid] = life

    @invariant()
    def at_most_one_process_of_a_name_is_at_work(self) -> None:
        named: dict[str, tuple[int, int]] = {}
        names = {ref.uid: ref.name for ref in self.all}
        ups: Counter[tuple[int, int]] = Counter()
        for line in notes(self.said):
            uid, life, word = line.split()
            who = (int(uid), int(life))
            assert named.get(names[who[0]], who) <= who, "an earlier one is at work after a later one"
            named[names[who[0]]] = who
            ups[who] += word == "up"
        assert all(times == 1 for times in ups.values())

    # --- what holds when all is quiet

    def teardown(self) -> None:
        try:
            if self.all:
                self.comes_to_rest()
                self.each_reliable_message_is_handled_or_a_dead_letter()
                self.observers_see_what_is_there()
                self.each_spawn_has_one_outcome()
        finally:
            for observer in self.observers:
                observer.close()
            self.system.shutdown(force=True)

    def comes_to_rest(self) -> None:
        """What each was told before is over when it has handled one that comes last, or has ended."""
        self.system.resume(self.all)
        for ref in self.all:
            with contextlib.suppress(ActorDied):
                ref.tell(len(self.told), reliable=True)
                self.told[len(self.told)] = ref.uid
        for ref in self.all:
            until(lambda ref=ref: kept(ref) == 0, LONG, f"all that {ref.name} was told being done")  # type: ignore[misc]
            if ref.uid in self.stopped:
                ref.wait(LONG)
        until(lambda: all(row.status is Status.RUNNING for row in self.system.ps()), LONG, "rest")
        self.lives_only_rise_within_the_budget_and_none_follows_a_stop()
        self.at_most_one_process_of_a_name_is_at_work()

    def each_reliable_message_is_handled_or_a_dead_letter(self) -> None:
        handled = {int(word) for _, _, word in map(str.split, notes(self.said)) if word != "up"}
        assert handled <= set(self.told)
        lost = set(self.told) - handled
        buried, others = self.dead_letters()
        assert len(lost - buried) <= others, "lost without a word"

    def dead_letters(self) -> tuple[set[Any], int]:
        """Those that are kept; and how many died with a process, and are counted."""
        buried: set[Any] = set()
        others = 0
        for letter in self.system.dead_letters:
            try:
                buried.add(letter.message)
            except LookupError:
                others += letter.count
        return buried, others

    def observers_see_what_is_there(self) -> None:
        rows = {row.name: seen(row) for row in self.system.ps()}
        for observer in self.observers:

            def agrees(observer: Observer = observer) -> bool:
                while observer.next(0) is not None:
                    pass
                return {name: seen(row) for name, row in observer.actors.items() if not row.status.ended} == rows

            until(agrees, LONG, "an observer's view")

    def each_spawn_has_one_outcome(self) -> None:
        self.system.kill(self.all)
        ended = {ref.uid: ref.wait(LONG) for ref in self.all}
        until(lambda: len(self.ends) >= len(ended), LONG, "word of each end")
        assert dict(self.ends) == ended
        assert len(self.ends) == len(ended)
        unwatched = self.dead_letters()[0]  # poison, if the witness died three times over one of them
        due = {f"{ref.uid} {ended[ref.uid]}" for ref in self.all if ref not in unwatched}
        until(lambda: set(notes(self.witnessed)) >= due, LONG, "the witness of each end")
        assert {int(line.split()[0]) for line in notes(self.witnessed)} <= set(ended)
        for ref in self.all:
            error = ref.exception(0)
            assert (error is None) == (ended[ref.uid] is Status.FINISHED)
            assert error is None or isinstance(error, ActorError)
            assert ref.exception(0) is error
            assert ref.info().incarnation <= self.stopped.get(ref.uid, self.lives[ref.uid])


def kept(ref: Any) -> int:
    """How many reliable messages of this process are not done, as far as it knows."""
    return sum(len(link.sure) for sender in ref._post.roster.senders() for link in sender.links.values())


def seen(row: ActorInfo) -> tuple[Any, ...]:
    """What an observer is to know of it."""
    return row.uid, row.status, row.incarnation, row.paused, row.pid


@pytest.mark.requirement("K6", "L1", "L2")
@pytest.mark.fault("F36", "F46")
@pytest.mark.parametrize(
    ("examples", "steps"), [(4, 40), pytest.param(150, 60, marks=[pytest.mark.soak, pytest.mark.timeout(3600)])]
)
def test_whatever_comes_in_whatever_order_each_spawn_has_one_end_and_nothing_is_lost(
    tmp_path, caplog, nothing_is_left_behind, examples, steps
):
    caplog.set_level(logging.CRITICAL, "understudy")  # a line for each crash
    World.place = tmp_path
    # Of a failure its steps are told; what is at work here is chance, too, so they are not made fewer.
    drawn = settings(
        max_examples=examples,
        stateful_step_count=steps,
        phases=[Phase.generate],
        database=None,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )
    run_state_machine_as_test(World, settings=drawn)
