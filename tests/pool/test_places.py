"""Pools in scripts, inside actors, under asyncio, in forked copies; and who else may speak to them."""

from __future__ import annotations

import asyncio
import os
import pickle
import socket
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from tests.pool import tasks
from tests.stage import ROOT, note, notes, until
from understudy import DepthExceeded, Observer, Pool, WrongProcess
from understudy.pool.frames import HELLO, Writer

pytestmark = pytest.mark.requirement("B1")


def script(code, *, stdin=False):
    """Run a program of the user's; what it printed."""
    text = textwrap.dedent(code)
    argv = [sys.executable, "-"] if stdin else [sys.executable, "-c", text]
    run = subprocess.run(
        argv, input=text if stdin else None, check=False, capture_output=True, text=True, timeout=100, cwd=ROOT
    )
    assert run.returncode == 0, run.stderr
    return run.stdout


@pytest.mark.parametrize("stdin", [False, True])
def test_a_script_needs_no_main_guard_and_ends_when_its_work_is_done(stdin):
    code = """
        from understudy import Pool

        factor = 3

        def times(value):
            return factor * value

        pool = Pool(2)
        print(list(pool.map(times, range(4))))
        factor = 5
        print(pool.submit(times, 2).result(60))
        pool.submit(times, 100).add_done_callback(lambda future: print("at exit", future.result()))
    """
    assert script(code, stdin=stdin).splitlines() == ["[0, 3, 6, 9]", "10", "at exit 500"]


def test_a_worker_is_an_actor_that_is_seen_and_named(system):
    with Pool(2, name="seen", system=system) as pool, Observer(system.endpoint) as stream:
        pid = pool.submit(tasks.pid).result(60)
        (info,) = [info for info in system.ps() if info.pid == pid]
        assert info.name == "seen/1"
        until(lambda: stream.next(0.1) is None and "seen/1" in stream.actors, 60, "word of it")
        assert repr(pool) == "<Pool seen: 1 of 2 workers>"
        stats = pool.stats()
        assert (stats.size, stats.workers, stats.busy, stats.waiting, stats.held, stats.done) == (2, 1, 0, 0, 0, 1)


@pytest.mark.requirement("A6")
def test_pools_inside_tasks_work_as_deep_as_actors_may_be(system):
    with Pool(1, name="outer", system=system) as pool:
        assert pool.submit(tasks.nest, 1).result(60).startswith("outer/1/pool-")
        with pytest.raises(DepthExceeded):
            pool.submit(tasks.nest, 2).result(60)
    until(lambda: not system.ps(), 60, "the end of all")


def test_in_step_no_task_of_a_batch_begins_before_the_last_one_is_done(system, gate):
    with Pool(2, mode="parallel", system=system) as pool:
        futures = [pool.submit(tasks.hold, str(gate)), pool.submit(tasks.double, 1), pool.submit(tasks.double, 2)]
        assert futures[1].result(60) == 2
        assert not futures[2].running()
        assert pool.mode == "parallel"
        gate.touch()
        assert futures[2].result(60) == 4
        pool.mode = "async"
        assert list(pool.map(tasks.double, range(5), chunksize=1)) == [0, 2, 4, 6, 8]


def test_higher_priorities_are_begun_first(system, gate, tmp_path):
    path = tmp_path / "order"
    with Pool(1, system=system) as pool:
        first = [pool.submit(tasks.hold, str(gate)) for _ in range(2)]
        until(lambda: notes(f"{gate}.begun"), 60, "the first")
        later = [pool.options(priority=priority).submit(note, path, priority) for priority in (0, 2, -1, 1)]
        gate.touch()
        for future in first + later:
            future.result(60)
    assert notes(path) == ["2", "1", "0", "-1"]


def test_under_asyncio_cancelling_who_awaits_ends_the_work_and_nothing_else(system, gate):
    async def main():
        async with Pool(1, system=system) as pool:
            assert await pool.run(tasks.double, 2) == 4
            work = asyncio.create_task(pool.run(tasks.hold, str(gate)))
            await asyncio.to_thread(until, lambda: notes(f"{gate}.begun"), 60, "the work")
            others = [pool.submit(tasks.double, number) for number in range(5)]
            never = asyncio.create_task(pool.run(note, f"{gate}.never", "begun"))
            await asyncio.sleep(0)
            never.cancel()
            work.cancel()
            for task in (work, never):
                with pytest.raises(asyncio.CancelledError):
                    await task
            assert [await asyncio.wrap_future(future) for future in others] == [0, 2, 4, 6, 8]
            with pytest.raises(LookupError):
                await pool.run(tasks.fail, "gone")

    asyncio.run(main())
    assert len(notes(f"{gate}.begun")) == 1
    assert not notes(f"{gate}.never")


def test_a_forked_copy_can_submit_nothing_and_ends_nothing(system):
    with Pool(1, system=system) as pool:
        assert pool.submit(tasks.double, 1).result(60) == 2
        read, write = os.pipe()
        child = os.fork()
        if not child:
            try:
                pool.submit(tasks.double, 1)
            except WrongProcess as error:
                os.write(write, str(error).encode())
            pool.shutdown()
            os._exit(0)
        os.waitpid(child, 0)
        assert b"forked copy" in os.read(read, 1000)
        os.close(read)
        os.close(write)
        assert pool.submit(tasks.double, 2).result(60) == 4


def test_a_pool_does_not_travel(system):
    with Pool(1, system=system) as pool, pytest.raises(TypeError, match="another process makes its own"):
        pickle.dumps(pool)


@pytest.mark.fault("F53")
def test_who_does_not_know_the_secret_is_turned_away(system, tmp_path):
    class Bomb:
        def __reduce__(self):
            return note, (str(tmp_path / "canary"), "opened")

    with Pool(1, system=system) as pool:
        assert pool.submit(tasks.double, 1).result(60) == 2
        (path,) = [path for path in Path(system.endpoint.removeprefix("ipc://")).iterdir() if path.name == "p1"]
        hello = b"".join(Writer().message(HELLO, [2, b"0" * 16]))
        for said in (hello, pickle.dumps(Bomb()), b"\xff" * 5000, b"\x01\x00\x00\x00\xc1"):
            with socket.socket(socket.AF_UNIX) as link:
                link.connect(str(path))
                link.settimeout(60)
                link.sendall(said)
                try:
                    assert link.recv(100) == b""
                except ConnectionResetError:  # it was closed with something unread
                    continue
        idle = [socket.socket(socket.AF_UNIX) for _ in range(40)]
        for link in idle:
            link.connect(str(path))
        assert [pool.submit(tasks.double, number).result(60) for number in range(20)] == [2 * n for n in range(20)]
        for link in idle:
            link.close()
    assert not (tmp_path / "canary").exists()


def test_a_bar_is_shown_on_a_terminal_and_nowhere_else(system, capsys):
    with Pool(1, system=system, progress=True) as pool:
        assert list(pool.map(tasks.double, range(10), chunksize=1)) == [2 * number for number in range(10)]
    assert capsys.readouterr().err == ""
