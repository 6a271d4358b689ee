"""The figures of info() and ps(): whose they are, what an error leaves out, and in which thread they are measured."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable

import psutil
import pytest

from tests.health.household import Busy, Idle, Parent
from tests.stage import noted, python, state_of, until
from understudy import ActorSystem, Remote, Status
from understudy.router import sampling
from understudy.router.records import Sample
from understudy.router.sampling import cpu_percent
from understudy.spawners import figures
from understudy.spawners.figures import Figures, measure

SIZE = 60  # MiB; an actor without it has some 20
FIELDS = ("os_status", "cpu_percent", "memory_mb", "pss_mb", "threads", "open_files")


def told(info):
    return {name: getattr(info, name) for name in FIELDS}


@pytest.fixture
def clock(monkeypatch):
    """The sampler's clock, set by hand."""
    now = [1000.0]
    monkeypatch.setattr(sampling, "monotonic", lambda: now[0])
    return now


@pytest.fixture
def looks(monkeypatch):
    """The numbers of all processes that psutil was asked about."""
    asked: list[int] = []

    class Counting(psutil.Process):
        def __init__(self, pid):
            asked.append(pid)
            super().__init__(pid)

    monkeypatch.setattr(psutil, "Process", Counting)
    return asked


@pytest.mark.requirement("H1")
@pytest.mark.parametrize("host", ["process", "spawn"])
def test_the_first_answer_has_figures_of_the_actor(system, host):
    ref = system.spawn(Idle, host=host, config={"sampling.interval": 60})
    ref.wait_ready(20)
    info = ref.info()
    assert info.os_status in {"sleeping", "running", "disk-sleep"}
    assert info.is_zombie is False
    assert 1 < info.pss_mb <= info.memory_mb < 500
    assert info.threads >= 2, "the main thread, and that of the link"
    assert info.open_files > 3
    assert 0 <= info.cpu_percent < 1000
    assert (info.command, info.pid) == ("tests.health.household:Idle", psutil.Process(info.pid).pid)
    assert 0 < info.started_at <= time.time()
    (row,) = system.ps()
    assert told(row) == told(info), "from the same sample"
    assert f"{info.memory_mb:.1f} MiB" in str(system.ps())
    ref.kill()
    ref.wait(20)
    assert set(told(ref.info()).values()) == {None}


@pytest.mark.requirement("H1")
def test_figures_are_there_from_the_birth_on(monkeypatch, tmp_path):
    monkeypatch.setenv("UNDERSTUDY_FAILPOINTS", "child.guard=stop")
    with ActorSystem() as system:
        ref = system.spawn(Idle, config={"sampling.interval": 60})
        pid = until(lambda: system._world.registry.actors[ref.uid].pid, 20, "the process")
        assert pid is not None
        until(lambda: state_of(pid) == "T", 20, "its stop, before it leads a session")
        info = ref.info()
        assert (info.pid, info.status, info.os_status) == (pid, Status.STARTING, "stopped")
        assert None not in told(info).values()
        assert info.threads == 1, "it has but begun"
        ref.kill()


def folder(path):
    path.mkdir()
    return str(path)


def both_run(*folders):
    """The two programs of each of these."""
    until(lambda: all({"kept", "strayed"} <= set(os.listdir(path)) for path in folders), 30, "both programs")


def grown(ref, least):
    """Its row, once it has more memory than that."""
    return until(lambda: (row := ref.info()).pss_mb > least and row, 20, "the memory of all")


@pytest.mark.requirement("H1")
@pytest.mark.parametrize("host", ["process", "spawn"])
def test_figures_are_of_all_that_the_actor_started_also_of_what_got_away(system, host, tmp_path):
    ref = system.spawn(Parent, folder(tmp_path / "ref"), SIZE, host=host)
    alone = system.spawn(Parent, folder(tmp_path / "alone"), SIZE, host=host, config={"sampling.family": False})
    both_run(tmp_path / "ref", tmp_path / "alone")
    for one, least, most in ((ref, 2 * SIZE, 1000), (alone, 1, SIZE)):
        info = grown(one, least)
        assert least < info.pss_mb <= info.memory_mb < most
    whole, own = ref.info(), alone.info()
    assert whole.threads >= own.threads + 2
    assert whole.open_files >= own.open_files + 6, "three streams each"
    system.kill("*")


@pytest.mark.requirement("H1")
def test_a_family_is_not_taken_for_that_of_another(system, tmp_path):
    big = system.spawn(Parent, folder(tmp_path / "one"), 3 * SIZE)
    small = system.spawn(Parent, folder(tmp_path / "other"), 1)
    both_run(tmp_path / "one", tmp_path / "other")
    until(lambda: big.info().memory_mb > 6 * SIZE, 20, "the memory of all")
    assert 1 < small.info().memory_mb < 3 * SIZE
    system.kill("*")


def denied(self):
    raise psutil.AccessDenied(self.pid)


def gone(self):
    raise psutil.NoSuchProcess(self.pid)


def unseen(pid):
    raise psutil.NoSuchProcess(pid)


def undead(self):
    raise psutil.ZombieProcess(self.pid)


def unreadable(self):
    raise OSError(24, "Too many open files")


def garbled(self):
    raise ValueError("not enough values to unpack")


PARTS = {
    "status": "os_status",
    "cpu_times": "cpu_percent",
    "memory_info": "memory_mb",
    "memory_full_info": "pss_mb",
    "num_threads": "threads",
    "num_fds": "open_files",
}


@pytest.mark.requirement("H2")
@pytest.mark.parametrize("trouble", [denied, gone, undead, unreadable, garbled])
@pytest.mark.parametrize("method", PARTS)
def test_a_figure_that_cannot_be_had_is_none_and_the_others_stand(monkeypatch, method, trouble):
    monkeypatch.setattr(psutil.Process, method, trouble)
    one = measure([os.getpid()], pss=True)
    missing = PARTS[method].replace("cpu_percent", "cpu_seconds")
    assert {name for name in Figures.__dataclass_fields__ if getattr(one, name) is None} == {missing}


@pytest.mark.requirement("H2")
def test_a_row_without_one_figure_or_without_any_is_a_row_all_the_same(system, monkeypatch):
    ref = system.spawn(Idle, config={"sampling.interval": 0})
    ref.wait_ready(20)
    with monkeypatch.context() as patched:
        patched.setattr(psutil.Process, "num_fds", denied)
        info = ref.info()
        assert {name for name, value in told(info).items() if value is None} == {"open_files"}
        patched.setattr(psutil, "Process", unseen)
        info = ref.info()
        assert set(told(info).values()) == {None}
        assert (info.status, info.alive, info.health, info.is_zombie) == (Status.RUNNING, True, "healthy", False)
        assert system.ps()[0].memory_mb is None
        assert (system.summary().sampled, system.summary().memory_mb) == (0, 0.0)
        assert system.healthy(ref) is True
    assert None not in told(ref.info()).values()
    ref.kill()


@pytest.mark.requirement("H2")
def test_what_is_gone_is_no_part_of_the_sum_and_what_may_not_be_read_leaves_none(monkeypatch):
    own = os.getpid()
    alone = measure([own], pss=False)
    assert alone.pss_mb is None, "not asked for"
    honest, trouble = psutil.Process.num_fds, gone

    def of_others(self):
        return honest(self) if self.pid == own else trouble(self)

    monkeypatch.setattr(psutil.Process, "num_fds", of_others)
    assert measure([own, os.getppid()], pss=False).open_files == honest(psutil.Process())
    trouble = denied
    assert measure([own, os.getppid()], pss=False).open_files is None
    assert measure([2**22 + 1, own], pss=False) == Figures(), "of a family without its head nothing is told"
    assert measure([own, 2**22 + 1], pss=False).threads == alone.threads


@pytest.mark.requirement("H2")
def test_a_child_that_nobody_awaits_hides_no_figure_of_the_family(monkeypatch):
    with subprocess.Popen([sys.executable, "-c", "pass"]) as child:
        until(lambda: state_of(child.pid) == "Z", 20, "its end")
        honest = psutil.Process.num_fds
        monkeypatch.setattr(psutil.Process, "num_fds", lambda self: (denied if self.pid == child.pid else honest)(self))
        own, both = measure([os.getpid()], pss=True), measure([os.getpid(), child.pid], pss=True)
        assert both.open_files == own.open_files
        assert None not in (both.pss_mb, both.memory_mb, both.threads)
        assert (both.cpu_seconds or 0) >= (own.cpu_seconds or 0) > 0, "what it used is not yet its parent's"


@pytest.mark.requirement("H4")
def test_who_asks_for_an_actor_that_holds_up_another_thread_gets_what_is_known(system, monkeypatch):
    ref = system.spawn(Idle, config={"sampling.interval": 0})
    ref.wait_ready(20)
    before = told(ref.info())
    gate, begun, honest = threading.Event(), threading.Event(), figures.measure

    def stuck(pids, *, pss):
        begun.set()
        gate.wait(30)
        return honest(pids, pss=pss)

    monkeypatch.setattr(sampling, "measure", stuck)
    monkeypatch.setattr(sampling, "PATIENCE", 0.05)
    thread = threading.Thread(target=ref.info)
    thread.start()
    assert begun.wait(20)
    assert told(ref.info()) == before
    gate.set()
    thread.join(20)
    ref.kill()


@pytest.mark.requirement("H1")
def test_cpu_is_told_since_the_start_at_first_and_since_the_sample_before_from_then_on(system, tmp_path):
    def sample(at, seconds):
        return Sample(at, 1, 7, Figures(cpu_seconds=seconds), None)

    assert cpu_percent(Figures(cpu_seconds=3.0), None, 100.0, 6.0) == 50.0
    assert cpu_percent(Figures(cpu_seconds=3.0), sample(98.0, 1.0), 100.0, 6.0) == 100.0
    assert cpu_percent(Figures(cpu_seconds=3.0), sample(98.0, 3.0), 100.0, 6.0) == 0.0
    assert cpu_percent(Figures(cpu_seconds=3.0), sample(98.0, 4.0), 100.0, 6.0) == 0.0, "an orphan has ended"
    assert cpu_percent(Figures(cpu_seconds=3.0), Sample(98.0, 1, 7, Figures(), None), 100.0, 6.0) == 50.0
    assert cpu_percent(Figures(), sample(98.0, 1.0), 100.0, 6.0) is None

    ref = system.spawn(Busy, 0.3, str(tmp_path / "said"), config={"sampling.interval": 0})
    noted(tmp_path / "said")
    info = ref.info()
    assert info.cpu_percent * info.runtime >= 100 * 0.2, "a life of so many seconds has used 0.3 s, in ticks of 0.01"
    again = until(lambda: (found := ref.info()).cpu_percent < info.cpu_percent and found, 20, "less, for it rests")
    assert again.cpu_percent >= 0
    ref.kill()


@pytest.mark.requirement("H4")
def test_answers_within_a_second_come_from_the_cache_without_a_look(system, clock, looks):
    ref = system.spawn(Idle)
    ref.wait_ready(20)
    first = ref.info()
    assert looks == [ref.info().pid]
    clock[0] += 1.0
    for ask in (ref.info, system.ps, system.summary, lambda: system.info(ref.name), ref.healthy):
        ask()
    assert len(looks) == 1
    assert told(ref.info()) == told(first)
    clock[0] += 0.01
    ref.info()
    assert len(looks) == 2
    system.ps()
    assert len(looks) == 2
    ref.kill()


@pytest.mark.requirement("H4")
def test_a_health_check_asks_psutil_for_nothing(system, clock, looks):
    ref = system.spawn(Idle)
    ref.wait_ready(20)
    for _ in range(3):
        assert ref.healthy() is system.healthy(ref) is system.healthy(ref.name) is True
        clock[0] += 60
    assert looks == []
    ref.kill()


@pytest.mark.requirement("C3")
def test_an_actors_settings_say_how_often_and_what_is_measured(system, clock, looks):
    always = system.spawn(Idle, config={"sampling.interval": 0, "sampling.pss": False})
    seldom = system.spawn(Idle, config={"sampling.interval": 60})
    for ref in (always, seldom):
        ref.wait_ready(20)
    pids = [always.info().pid, seldom.info().pid]
    assert (always.info().pss_mb, seldom.info().pss_mb is None) == (None, False)
    assert always.info().memory_mb > 1
    looks.clear()
    for _ in range(3):
        clock[0] += 10
        system.ps()
    assert looks == [pids[0]] * 3
    system.kill("*")


@pytest.mark.requirement("H4")
def test_sampling_never_runs_in_the_routers_thread(system, monkeypatch):
    ref = system.spawn(Idle, config={"sampling.interval": 0})
    ref.wait_ready(20)
    router = system._calls.thread
    seen: list[threading.Thread] = []
    honest = figures.measure

    def measured(pids, *, pss):
        seen.append(threading.current_thread())
        return honest(pids, pss=pss)

    monkeypatch.setattr(sampling, "measure", measured)
    here: list[Callable[[], object]] = [ref.info, system.ps, lambda: system.info(ref.name), system.summary]
    for ask in here:
        ask()
    assert seen == [threading.current_thread()] * 4
    seen.clear()
    with Remote(system.endpoint) as remote:
        outside: tuple[Callable[[], object], ...] = (
            remote.ps,
            lambda: remote.info(ref.name),
            lambda: remote.healthy(ref.name),
            remote.summary,
        )
        for number, demand in enumerate(outside, 1):
            demand()
            assert len(seen) == number
    assert router not in seen
    assert len(set(seen)) == 1
    assert seen[0].name.startswith("understudy-errands-")
    seen.clear()
    info = system._calls.make(lambda: (threading.current_thread(), ref.info()))
    assert info[0] is router
    assert info[1].memory_mb > 1, "from the sample before"
    assert seen == []
    ref.kill()


@pytest.mark.requirement("H4")
def test_threads_that_ask_at_once_measure_once(system, looks):
    ref = system.spawn(Idle, config={"sampling.interval": 60})
    ref.wait_ready(20)
    gate, answers = threading.Barrier(8), []

    def ask():
        gate.wait(20)
        answers.append(told(ref.info()))

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert len(answers) == 8
    assert answers == [answers[0]] * 8
    assert len(looks) == 1
    ref.kill()


LAZY = """
import json, sys
from understudy import ActorSystem, Process

class Idle(Process):
    def __loop__(self):
        self.sleep(60)

    def __result__(self):
        return "psutil" in sys.modules

with ActorSystem() as system:
    ref = system.spawn(Idle)
    ref.wait_ready(20)
    before = [ref.healthy(), "psutil" in sys.modules]
    first = ref.info().memory_mb
    after = "psutil" in sys.modules
    ref.stop()
    print(json.dumps([*before, first > 1, after, ref.result(20)]))
"""


@pytest.mark.requirement("H4")
def test_psutil_is_loaded_where_figures_are_asked_for_and_not_before_nor_in_actors():
    done = python("-c", LAZY)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == [True, False, True, True, False]
