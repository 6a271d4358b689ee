"""Actors that log without end: the parent hears the others, answers, keeps its size, and loses no result."""

from __future__ import annotations

import logging
import signal
import subprocess
import threading

import pytest

from tests.stage import Keeps, descendants, gone, hold, parent, said, tell, until
from understudy import ActorSystem, Process, Status
from understudy.router import logs as logs_module
from understudy.router.logs import LogThread

SCRIPT = """
import logging, sys, time
from tests.stage import until
from understudy import ActorSystem, Process

class Quiet(Process):
    def __init__(self):
        self.config.heartbeat.interval = 0.1

    def __loop__(self):
        self.sleep(600)

    def __result__(self):
        return "quiet"

class Loud(Process):
    def __init__(self):
        self.config.limits.records = None

    def __loop__(self):
        for number in range(1000):
            self.log.info("hello %d", number)

    def __result__(self):
        return "loud"

class Slow(logging.Handler):
    def emit(self, record):
        time.sleep(0.0001)

def resident():
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * 4096 / (1 << 20)

logging.getLogger().addHandler(Slow())
logging.getLogger().setLevel(logging.INFO)
system = ActorSystem()
quiet = system.spawn(Quiet)
quiet.wait_ready(20)
loud = [system.spawn(Loud) for _ in range(3)]
for ref in loud:
    ref.wait_ready(20)
before, slowest, over = resident(), 0.0, time.monotonic() + 4
print("up", flush=True)
while time.monotonic() < over:
    began = time.monotonic()
    rows = system.ps()
    slowest = max(slowest, time.monotonic() - began)
    time.sleep(0.05)
print(f"{slowest} {resident() - before} {max(row.heartbeat_age or 0 for row in rows)}", flush=True)
sys.stdin.readline()
began = time.monotonic()
words = system.stop("*")
asked = time.monotonic() - began
results = [ref.result(60) for ref in (quiet, *loud)]
print(asked, time.monotonic() - began, resident() - before, flush=True)
print(sorted(words.values()), results, flush=True)
system.shutdown()
"""


@pytest.mark.requirement("K1", "H1")
def test_a_flood_of_records_holds_up_neither_ps_nor_a_stop_and_loses_no_result(tmp_path):
    with parent(SCRIPT, tmp_path, stdin=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
        assert said(process) == "up"
        slowest, grown, age = map(float, said(process).split())
        assert slowest < 5
        assert grown < 400
        assert age < 5
        tell(process, "stop")
        asked, ended, grown = map(float, said(process).split())
        assert asked < 5
        assert ended < 30
        assert grown < 400
        assert said(process) == "['asked', 'asked', 'asked', 'asked'] ['quiet', 'loud', 'loud', 'loud']"
        assert process.wait(40) == 0


@pytest.mark.fault("F29")
@pytest.mark.requirement("K5")
def test_a_sigterm_ends_a_parent_amid_a_flood_of_records(tmp_path):
    with parent(SCRIPT, tmp_path, stderr=subprocess.DEVNULL, stdin=subprocess.PIPE) as process:
        assert said(process) == "up"
        family = descendants(process.pid)
        process.send_signal(signal.SIGTERM)
        assert process.wait(40) == -signal.SIGTERM
        gone(*family)


class Bursts(Process):
    """Logs so much more than any queue holds, and has a result at once."""

    def __init__(self):
        self.config.limits.records = None

    def __loop__(self):
        for number in range(60_000):
            self.log.info("%d", number)
        self.stop()

    def __result__(self):
        return "all said"


@pytest.mark.requirement("E6")
def test_a_result_behind_a_burst_that_the_handlers_do_not_take_arrives(tmp_path):
    let_go, reached = threading.Event(), threading.Event()

    class Stuck(Keeps):
        def emit(self, record):
            reached.set()
            let_go.wait(60)

    root, level = logging.getLogger(), logging.getLogger().level
    handler = Stuck()
    root.addHandler(handler)
    root.setLevel(logging.INFO)
    try:
        with ActorSystem() as system:
            ref = system.spawn(Bursts)
            other = system.spawn(hold, tmp_path / "gate")
            assert reached.wait(20)
            assert ref.result(60) == "all said"
            assert system._world.logs.dropped
            (tmp_path / "gate").touch()
            assert other.wait(20) is Status.FINISHED
            let_go.set()
    finally:
        let_go.set()
        root.removeHandler(handler)
        root.setLevel(level)


def record(number: int) -> dict[str, object]:
    return {"name": "app.flood", "msg": f"{number}", "levelno": logging.ERROR, "levelname": "ERROR"}


def test_an_actor_has_its_share_of_what_waits_and_a_modest_one_always_has_some(capsys):
    logger, let_go = logging.getLogger("app.flood"), threading.Event()

    class Hangs(Keeps):
        def emit(self, record):
            super().emit(record)
            let_go.wait(60)

    hangs = Hangs()
    logger.addHandler(hangs)
    logger.propagate = False
    thread, size = LogThread("shares"), 1 << 20
    try:
        thread.put(record(0), uid=99, size=0)
        until(lambda: hangs.records, 20, "the first record")
        until(lambda: not thread.strained)
        for uid in range(1, 7):
            for number in range(10):
                thread.put(record(number), uid=uid, size=size)
        # Four of them have 8 MiB each; then all is taken, and each of the others is given its first.
        assert bool(thread.strained)
        assert thread.dropped == 60 - logs_module.ALL // size - 2
        assert [thread.has_room(uid) for uid in (1, 5, 7)] == [False, False, True]
        thread.put(record(7), uid=7, size=100)
        assert thread.has_room(7)
        let_go.set()
        until(lambda: len(hangs.records) == 1 + logs_module.ALL // size + 2 + 1)
        until(lambda: not thread.strained)
        assert all(thread.has_room(uid) for uid in range(8))
    finally:
        let_go.set()
        thread.close(20)
        logger.removeHandler(hangs)
        logger.propagate = True
    assert f"{thread.dropped} log records of actors are lost" in capsys.readouterr().err
