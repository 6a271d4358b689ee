from __future__ import annotations

import _multiprocessing  # type: ignore[import-not-found]
import contextlib
import gc
import os
import pickle
import signal
import subprocess
import sys
import tempfile
import textwrap
import threading
import time
from collections.abc import Iterator
from multiprocessing.shared_memory import SharedMemory
from pathlib import Path

import pytest
import zmq

from tests.stage import until
from understudy.testing import Leak, LeakCheck, Leaked, snapshot
from understudy.testing.leaks import MARKER

AT_ONCE = 0.0


def python(code, **options):
    return subprocess.Popen([sys.executable, "-c", textwrap.dedent(code)], **options)


def only(leaks, kind):
    return [leak.what for leak in leaks if leak.kind == kind]


def test_a_stretch_that_cleans_up_has_no_leaks(tmp_path):
    # With patience: a joined thread's task leaves the kernel's list a moment later.
    with LeakCheck():
        with (tmp_path / "note").open("w") as file:
            file.write("x")
        subprocess.run(["true"], check=True)
        thread = threading.Thread(target=int)
        thread.start()
        thread.join()


def test_a_child_still_running_is_told_with_pid_and_command():
    check = LeakCheck(patience=AT_ONCE).start()
    child = subprocess.Popen(["sleep", "61"])
    try:
        leaks = check.finish()
    finally:
        child.kill()
        child.wait()
    assert only(leaks, "process") == [f"{child.pid}: sleep 61"]


def test_a_child_that_nobody_waited_for_is_told_as_a_zombie():
    check = LeakCheck(patience=AT_ONCE).start()
    child = subprocess.Popen(["true"])
    try:
        os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
        leaks = check.finish()
    finally:
        child.wait()
    assert only(leaks, "zombie") == [f"{child.pid} (was true, child of {os.getpid()})"]


def test_what_forked_twice_into_its_own_session_is_found_by_the_environment():
    code = """
        import os, subprocess, sys
        child = subprocess.Popen(["sleep", "62"], start_new_session=True, stdout=subprocess.DEVNULL)
        print(child.pid, flush=True)
        os._exit(0)
    """
    check = LeakCheck(patience=AT_ONCE).start()
    with python(code, stdout=subprocess.PIPE, text=True) as launcher:
        orphan = int(launcher.stdout.read())
    try:
        leaks = check.finish()
    finally:
        os.kill(orphan, signal.SIGKILL)
    assert only(leaks, "process") == [f"{orphan}: sleep 62"]


def test_what_is_amid_an_exec_at_that_moment_is_found_all_the_same(monkeypatch):
    """The kernel shows no environment of it then."""
    shown: Iterator[dict[bytes, bytes]] = iter([{}])
    check = LeakCheck().start()
    real = snapshot.environment
    with subprocess.Popen(["sleep", "61"], start_new_session=True) as child:
        monkeypatch.setattr(snapshot, "environment", lambda pid: next(shown, real(pid)))
        assert check._mark.is_on(child.pid)
        child.kill()
    assert check.finish() == []


def test_what_has_no_memory_is_looked_at_once(monkeypatch):
    """As a kernel thread, of which there are many: it has no environment, and will never have one."""
    looks = []

    def environment(pid, real=snapshot.environment):
        looks.append(pid)
        return real(pid)

    check = LeakCheck().start()
    with subprocess.Popen(["true"]) as child:
        os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)  # a zombie has none either
        monkeypatch.setattr(snapshot, "environment", environment)
        assert not check._mark.is_on(child.pid)
        assert looks == [child.pid]
    assert check.finish() == []


def test_what_forked_twice_without_a_new_program_is_found_by_its_memory(tmp_path):
    # In a process of its own: forking the one that runs the tests would copy its threads' locks.
    script = tmp_path / "script.py"
    script.write_text(
        textwrap.dedent("""
        import os, signal, sys
        from understudy.testing import LeakCheck

        check = LeakCheck(patience=0).start()
        ready, tell = os.pipe()
        child = os.fork()
        if child == 0:
            os.setsid()
            if os.fork() == 0:
                os.write(tell, str(os.getpid()).encode())
                os.closerange(0, 1000)
                signal.pause()
            os._exit(0)
        orphan = int(os.read(ready, 20))
        os.waitpid(child, 0)
        os.close(ready), os.close(tell)
        leaks = check.finish()
        os.kill(orphan, signal.SIGKILL)
        assert [leak.what.split(":")[0] for leak in leaks] == [str(orphan)], leaks
        """)
    )
    subprocess.run([sys.executable, script], check=True)


def test_an_outer_check_finds_what_was_started_under_an_inner_one():
    outer = LeakCheck(patience=AT_ONCE).start()
    inner = LeakCheck(patience=AT_ONCE).start()
    child = subprocess.Popen(["sleep", "63"])
    try:
        assert only(inner.finish(), "process") == only(outer.finish(), "process") == [f"{child.pid}: sleep 63"]
    finally:
        child.kill()
        child.wait()


def test_what_stood_before_the_start_is_no_leak():
    child = subprocess.Popen(["sleep", "64"])
    read, write = os.pipe()
    stop = threading.Event()
    thread = threading.Thread(target=stop.wait)
    thread.start()
    try:
        with LeakCheck(patience=AT_ONCE) as check:
            assert check.leaks() == []
    finally:
        child.kill()
        child.wait()
        os.close(read)
        os.close(write)
        stop.set()
        thread.join()


def test_a_process_of_somebody_else_is_no_leak():
    environment = {name: value for name, value in os.environ.items() if name != MARKER}
    code = """
        import subprocess, sys
        sys.stdin.readline()
        with subprocess.Popen(["sleep", "65"], stdout=subprocess.DEVNULL) as child:
            print(child.pid, flush=True)
            sys.stdin.readline()
            child.kill()
    """
    # Both come from this process; the watcher, which does the check, is not the ancestor of the stranger's child.
    with python(code, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment) as stranger:
        watcher = """
            import sys
            from understudy.testing import LeakCheck
            check = LeakCheck(patience=0).start()
            print("started", flush=True)
            sys.stdin.readline()
            print(check.finish(), flush=True)
        """
        with python(watcher, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as watching:
            assert watching.stdout.readline() == "started\n"
            stranger.stdin.write("\n")
            stranger.stdin.flush()
            assert stranger.stdout.readline().strip().isdecimal()
            watching.stdin.write("\n")
            watching.stdin.flush()
            assert watching.stdout.readline() == "[]\n"
        stranger.stdin.write("\n")
        stranger.stdin.flush()
        assert stranger.wait() == 0


def test_an_open_descriptor_is_told_with_its_target(tmp_path):
    path = tmp_path / "left open"
    check = LeakCheck(patience=AT_ONCE).start()
    fd = os.open(path, os.O_CREAT | os.O_RDWR)
    try:
        leaks = check.finish()
    finally:
        os.close(fd)
    assert leaks == [Leak("descriptor", f"{fd} -> {path}")]


def test_a_descriptor_that_only_moved_is_no_leak(tmp_path):
    first = os.open(tmp_path / "log", os.O_CREAT | os.O_RDWR)
    check = LeakCheck(patience=AT_ONCE).start()
    second = os.dup(first)
    os.close(first)
    try:
        assert check.finish() == []
    finally:
        os.close(second)


def test_a_thread_still_running_is_told_by_its_name():
    stop = threading.Event()
    thread = threading.Thread(target=stop.wait, name="left-over")
    check = LeakCheck(patience=AT_ONCE).start()
    thread.start()
    try:
        leaks = check.finish()
    finally:
        stop.set()
        thread.join()
    assert leaks == [Leak("thread", f"{thread.native_id} (left-over)")]


def test_a_thread_that_is_not_pythons_is_told_too():
    check = LeakCheck(patience=AT_ONCE).start()
    context = zmq.Context()
    socket = context.socket(zmq.PUSH)
    try:
        until(
            lambda: any("ZMQbg" in path.read_text() for path in Path("/proc/self/task").glob("*/comm")), 20, "its name"
        )
        leaks = check.finish()
    finally:
        socket.close()
        context.term()
    assert any("ZMQbg" in name and "not Python's" in name for name in only(leaks, "thread")), leaks
    assert only(leaks, "descriptor")


def test_a_block_left_in_shared_memory_is_told(tmp_path, monkeypatch):
    # Not in the real place: nobody has it mapped, so that every check on the machine would take it for its own.
    monkeypatch.setattr(snapshot, "SHARED_MEMORY", str(tmp_path))
    path = tmp_path / "block"
    check = LeakCheck(patience=AT_ONCE).start()
    path.touch()
    try:
        leaks = check.finish()
    finally:
        path.unlink()
    assert leaks == [Leak("file", str(path))]


@contextlib.contextmanager
def _block_of_somebody():
    block = _untracked(SharedMemory(create=True, size=4096))
    try:
        yield
    finally:
        block.close()
        Path(f"/dev/shm/{block.name}").unlink()  # noqa: S108 - the place is the point


@contextlib.contextmanager
def _semaphore_of_somebody():
    # It is mapped under a passing name, and bears its own only afterwards.
    name = f"/us-{os.getpid()}"
    semaphore = _multiprocessing.SemLock(1, 1, 1, name, False)  # noqa: FBT003 - positional only
    try:
        yield
    finally:
        del semaphore
        _multiprocessing.sem_unlink(name)


@pytest.mark.parametrize("make", [_block_of_somebody, _semaphore_of_somebody])
def test_shared_memory_in_use_by_somebody_else_is_no_leak(make):
    environment = {name: value for name, value in os.environ.items() if name != MARKER}
    watcher = """
        import sys
        from understudy.testing import LeakCheck
        check = LeakCheck(patience=0).start()
        print("started", flush=True)
        sys.stdin.readline()
        print(check.finish(), flush=True)
    """
    with python(watcher, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment) as watching:
        assert watching.stdout.readline() == "started\n"
        with make():
            watching.stdin.write("\n")
            watching.stdin.flush()
            assert watching.stdout.readline() == "[]\n"


@pytest.mark.parametrize("place", ["temporary", "runtime"])
def test_a_directory_left_where_systems_live_is_told(place):
    base = Path(tempfile.gettempdir()) if place == "temporary" else Path(os.environ["XDG_RUNTIME_DIR"]) / "understudy"
    path = base / "understudy-left"
    check = LeakCheck(patience=AT_ONCE).start()
    path.mkdir(parents=True)
    try:
        leaks = check.finish()
    finally:
        path.rmdir()
    assert leaks == [Leak("file", str(path))]


def test_what_goes_away_within_the_patience_is_no_leak():
    check = LeakCheck(patience=30).start()
    thread = threading.Timer(0.2, int)
    thread.start()
    started = time.monotonic()
    assert check.finish() == []
    assert time.monotonic() - started < 30
    thread.join()


def test_what_only_a_cycle_holds_is_no_leak(tmp_path):
    class Knot:
        def __init__(self):
            self.me = self
            self.fd = os.open(tmp_path / "knot", os.O_CREAT | os.O_RDWR)

        def __del__(self):
            os.close(self.fd)

    gc.disable()
    try:
        check = LeakCheck(patience=AT_ONCE).start()
        Knot()
        assert only(check.leaks(), "descriptor")
        assert check.finish() == []
    finally:
        gc.enable()


def test_leaving_a_with_block_raises_what_was_left(tmp_path):
    fds = []
    with (
        pytest.raises(Leaked, match=r"left behind:\n  descriptor \d+ -> .*kept") as caught,
        LeakCheck(patience=AT_ONCE),
    ):
        fds.append(os.open(tmp_path / "kept", os.O_CREAT | os.O_RDWR))
    os.close(fds[0])
    assert caught.value.leaks[0].kind == "descriptor"
    assert pickle.loads(pickle.dumps(caught.value)).leaks == caught.value.leaks


def test_an_error_in_the_block_comes_first_and_bears_the_leaks_as_a_note(tmp_path):
    fds = []

    def open_and_fail():
        with LeakCheck(patience=AT_ONCE):
            fds.append(os.open(tmp_path / "kept", os.O_CREAT | os.O_RDWR))
            raise KeyError("the first")

    with pytest.raises(KeyError) as caught:
        open_and_fail()
    os.close(fds[0])
    assert "kept" in caught.value.__notes__[0]


def test_the_environment_is_as_it_was_after_a_check():
    before = dict(os.environ)
    check = LeakCheck(patience=AT_ONCE).start()
    assert os.environ[MARKER].startswith(before[MARKER] + "/")
    check.finish()
    assert dict(os.environ) == before


def test_a_check_is_started_once_and_asked_only_while_under_way():
    check = LeakCheck(patience=AT_ONCE)
    with pytest.raises(RuntimeError, match="not started"):
        check.leaks()
    check.start()
    with pytest.raises(RuntimeError, match="under way"):
        check.start()
    assert check.finish() == []
    with check:
        assert check.leaks() == []


@pytest.mark.parametrize("patience", [-1.0, float("nan"), float("inf")])
def test_a_patience_that_is_no_span_of_time_is_refused(patience):
    with pytest.raises(ValueError, match="patience"):
        LeakCheck(patience=patience)


def _untracked(block):
    from multiprocessing import resource_tracker

    resource_tracker.unregister(f"/{block.name}", "shared_memory")
    resource_tracker._resource_tracker._stop()  # type: ignore[attr-defined]
    return block
