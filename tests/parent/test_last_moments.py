"""Endings at a bad moment: nobody holds the system, a lock is held, a thread still waits, Ctrl-C amid the closing."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import threading
from pathlib import Path

import pytest

from tests.stage import descendants, gone, notes, parent, said, tell
from understudy import ActorSystem, ConfigError, Process

UNHELD = """
import gc, os, sys, time
from tests.stage import note
from understudy import ActorSystem, Process

told, ending = sys.argv[1:]

class Careful(Process):
    def __loop__(self):
        self.sleep(600)

    def __onfinish__(self):
        note(told, "onfinish")

ref = ActorSystem().spawn(Careful)
ref.wait_ready(20)
gc.collect()
if ending == "copied" and os.fork() == 0:
    time.sleep(60)
    os._exit(0)
print(ref.info().pid, flush=True)
if ending != "returns":
    time.sleep(60)
"""


@pytest.mark.requirement("K5", "P6")
@pytest.mark.fault("F29")
@pytest.mark.parametrize("ending", ["returns", "waits"])
def test_a_system_that_nobody_holds_ends_in_good_order_too(tmp_path, ending):
    told = tmp_path / "told"
    with parent(UNHELD, tmp_path, told, ending) as process:
        pid = int(said(process))
        if ending == "waits":
            process.send_signal(signal.SIGTERM)
        assert process.wait(30) == (0 if ending == "returns" else -signal.SIGTERM)
        gone(pid)
    assert notes(told) == ["onfinish"]


@pytest.mark.requirement("K5")
@pytest.mark.fault("F30")
def test_a_copy_of_a_parent_whose_system_nobody_holds_keeps_no_leash(tmp_path):
    with parent(UNHELD, tmp_path, tmp_path / "told", "copied") as process:
        pid = int(said(process))
        zygote = int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
        copies = [one for one in descendants(process.pid) if one not in {pid, zygote}]
        os.kill(zygote, signal.SIGSTOP)  # the second guard is held up: the leash alone has to do
        try:
            process.kill()
            process.wait(20)
            gone(pid)
        finally:
            os.kill(zygote, signal.SIGCONT)
            for copy in copies:
                if (
                    Path(f"/proc/{copy}/cmdline").exists()
                    and b"parent.py" in Path(f"/proc/{copy}/cmdline").read_bytes()
                ):
                    os.kill(copy, signal.SIGKILL)
        gone(zygote, *copies)


AMID = """
import logging, os, signal, sys, threading
from tests.stage import note
from understudy import ActorSystem, Process
from understudy.router import endings

told, where = sys.argv[1:]
if where == "enumerate":
    endings._LONGEST = 1.0  # there it holds a lock of the interpreter's own, without which no thread begins

class Careful(Process):
    def __loop__(self):
        self.sleep(600)

    def __onfinish__(self):
        self.log.warning("it ends")
        note(told, "onfinish")

class Strikes(logging.Handler):
    def emit(self, record):
        if threading.current_thread() is threading.main_thread():
            signal.raise_signal(signal.SIGTERM)

system = ActorSystem()
ref = system.spawn(Careful)
ref.wait_ready(20)
print("up", flush=True)
sys.stdin.readline()

def trace(frame, event, argument):
    file = frame.f_code.co_filename
    if frame.f_code.co_name == where and file.endswith(("calls.py", "bell.py", "latch.py", "threading.py")):
        def strike(frame, event, argument, lines=[]):
            lines.append(event)
            if len(lines) == 2:  # amid it, with whatever it holds
                sys.settrace(None)
                signal.raise_signal(signal.SIGTERM)
            return strike
        return strike

if where == "emit":
    logging.getLogger().addHandler(Strikes())
    logging.warning("strike")
sys.settrace(trace)
while where != "_wait":
    threading.enumerate() if where == "enumerate" else system.ps()
ref.wait()
"""


@pytest.mark.requirement("K5")
@pytest.mark.fault("F29")
@pytest.mark.parametrize("where", ["make", "_queue", "ring", "_wait", "emit"])
def test_a_sigterm_ends_all_in_good_order_wherever_it_strikes_the_main_thread(tmp_path, where):
    told = tmp_path / "told"
    with parent(AMID, tmp_path, told, where, stdin=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
        assert said(process) == "up"
        family = descendants(process.pid)
        tell(process, "go on")
        assert process.wait(60) == -signal.SIGTERM
        gone(*family)
    assert notes(told) == ["onfinish"]


@pytest.mark.fault("F29")
def test_a_sigterm_that_strikes_where_no_closing_can_go_on_ends_the_parent_all_the_same(tmp_path):
    told = tmp_path / "told"
    with parent(AMID, tmp_path, told, "enumerate", stdin=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
        assert said(process) == "up"
        family = descendants(process.pid)
        tell(process, "go on")
        assert process.wait(60) == -signal.SIGTERM
        gone(*family)


class Idle(Process):
    def __loop__(self):
        self.sleep(600)


@pytest.mark.requirement("K2")
@pytest.mark.fault("F34")
@pytest.mark.parametrize("step", ["router", "logs", "zygote"])
def test_an_interrupt_amid_the_closing_leaves_nothing_half_closed(step):
    system = ActorSystem()
    system.spawn(Idle).wait_ready(20)
    whose, name = {
        "router": (system._router, "stop"),
        "logs": (system._world.logs, "close"),
        "zygote": (system._world.spawners["process"], "close"),
    }[step]
    calls, real = [], getattr(whose, name)

    def strikes(*arguments: object) -> None:
        calls.append(threading.current_thread())
        signal.raise_signal(signal.SIGINT)
        real(*arguments)

    steps = system._closing._steps
    for number, one in enumerate(steps):
        if one == real:
            steps[number] = strikes
    if step == "logs":
        system._world.logs.close = strikes  # type: ignore[assignment,method-assign]
    with pytest.raises(KeyboardInterrupt):
        system.shutdown()
    assert len(calls) == 1
    assert calls[0] is not threading.main_thread()
    assert not system.is_open
    assert not os.path.exists(system.endpoint.removeprefix("ipc://"))
    system.shutdown()  # that the router and the zygote are gone the check of leaks says
    assert len(calls) == 1


@pytest.mark.requirement("K2")
def test_a_step_of_the_closing_that_fails_keeps_none_of_the_others():
    system = ActorSystem()
    system.spawn(Idle).wait_ready(20)

    def fails() -> None:
        raise OSError("it cannot be had")

    system._closing._steps.appendleft(fails)
    with pytest.raises(OSError, match="cannot be had"):
        system.shutdown()
    assert not system.is_open
    system.shutdown()


WAITED_FOR = """
import concurrent.futures, sys, threading
from understudy import ActorSystem, Process

class Lasting(Process):
    def __loop__(self):
        self.sleep(0.1)

how = sys.argv[1]
lasting = Lasting()
if how == "default":
    lasting.start()
    wait = lasting.wait
else:
    wait = ActorSystem().spawn(lasting).wait
if how == "pool":
    pool = concurrent.futures.ThreadPoolExecutor()
    pool.submit(wait)
else:
    threading.Thread(target=wait).start()
print("main ends", flush=True)
"""


@pytest.mark.requirement("P6")
@pytest.mark.fault("F29")
@pytest.mark.parametrize("how", ["default", "own", "pool"])
def test_a_thread_that_waits_for_an_actor_does_not_keep_the_program_from_ending(tmp_path, how):
    with parent(WAITED_FOR, tmp_path, how) as process:
        assert said(process) == "main ends"
        assert process.wait(40) == 0


@pytest.mark.fault("F29")
def test_the_signals_are_given_back_at_the_end_of_an_async_with():
    async def run():
        async with ActorSystem() as system:
            assert signal.getsignal(signal.SIGTERM) is not signal.SIG_DFL
            system.spawn(Idle)

    asyncio.run(run())
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
    assert signal.getsignal(signal.SIGHUP) is signal.SIG_DFL


@pytest.mark.parametrize("transport", ["udp", "inproc", "IPC"])
def test_a_transport_that_there_is_not_is_refused_and_both_that_there_are_are_named(monkeypatch, transport):
    monkeypatch.setenv("UNDERSTUDY_TRANSPORT", transport)
    with pytest.raises(ConfigError, match=f"UNDERSTUDY_TRANSPORT={transport}: give ipc or tcp"):
        ActorSystem()
    monkeypatch.setenv("UNDERSTUDY_TRANSPORT", "ipc")
    ActorSystem().shutdown()
