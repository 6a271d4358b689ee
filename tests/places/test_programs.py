"""Programs of other shapes: threads, asyncio, odd globals of `sys`, and hooks that name what the script has made."""

from __future__ import annotations

import os
import signal
import textwrap

import pytest

from tests.places.program import PROGRAM, check
from tests.stage import gone, noted, parent, python, said

pytestmark = pytest.mark.requirement("P10")


@pytest.mark.parametrize(
    "before",
    ["del sys.argv", "sys.argv = []", "sys.argv = ['']", "sys.argv = None", "del sys.argv; sys.executable = None"],
)
def test_an_interpreter_that_a_program_embeds(tmp_path, before):
    """It may have no arguments, and not know where the program of its Python is."""
    (tmp_path / "script.py").write_text(f"import sys; {before}\n{PROGRAM}")
    check(python("script.py", cwd=tmp_path))


def test_where_no_program_of_this_python_is_found_the_error_says_what_to_set(tmp_path):
    script = """
        import os, sys
        from understudy import ActorSystem
        before = len(os.listdir("/proc/self/fd"))
        sys.executable, sys.exec_prefix, sys.base_exec_prefix = "", "/nowhere", "/nowhere"
        try:
            ActorSystem()
        except OSError as error:
            print(type(error).__name__, error)
            del error
        print(len(os.listdir("/proc/self/fd")) - before)
    """
    done = python("-c", textwrap.dedent(script), cwd=tmp_path)
    told, left = done.stdout.splitlines()
    assert told.startswith("FileNotFoundError sys.executable is '', and no python3")
    assert "set it to the program of a Python 3" in told
    assert left == "0"


def test_hooks_may_name_the_globals_of_the_script_and_its_own_system(tmp_path):
    script = """
        import threading
        from understudy import ActorSystem, Process, WrongProcess

        LIMITS, lock, refs = {"most": 3}, threading.Lock(), []

        class Named(Process):
            def __init__(self, way):
                self.way = way
                self.config.num_loops = 1

            def __loop__(self):
                with lock:
                    LIMITS["most"] += 1
                if self.way == "look":
                    self.told = LIMITS, system.name, len(refs)
                elif self.way == "use":
                    self.told = system.shutdown()
                elif self.way == "caught":
                    try:
                        system.ps()
                    except WrongProcess as error:
                        self.told = str(error)

            def __result__(self):
                return self.told

        system = ActorSystem("theatre-of-globals")
        for host in ("process", "spawn"):
            refs.append(system.spawn(Named, "look", host=host))
            print(refs[-1].result(30), LIMITS)
        print(type(error := system.spawn(Named, "use", name="user").exception(30).__cause__).__name__, error)
        print(system.spawn(Named, "caught", name="looker").result(30))
        system.shutdown()
    """
    (tmp_path / "script.py").write_text(textwrap.dedent(script))
    done = python("script.py", cwd=tmp_path)
    clear = "the system theatre-of-globals belongs to its parent process; it takes no calls inside the actor"
    assert done.stdout.splitlines() == [
        "({'most': 4}, 'theatre-of-globals', 0) {'most': 3}",
        "({'most': 4}, 'theatre-of-globals', 1) {'most': 3}",
        f"WrongProcess shutdown: {clear} user",
        f"ps: {clear} looker",
    ], done.stderr


def test_a_program_of_threads_that_share_a_system(tmp_path):
    """The system is made in one thread, used in others when that one has ended, closed in the main one."""
    script = """
        import threading
        from understudy import ActorSystem, Process

        class Worker(Process):
            def __init__(self, number):
                self.number = number
                self.config.num_loops = 1
            def __loop__(self):
                assert threading.current_thread() is threading.main_thread()
            def __result__(self):
                return self.number ** 2

        made, results = [], {}
        maker = threading.Thread(target=lambda: made.append(ActorSystem()))
        maker.start(), maker.join()

        def use(number):
            results[number] = made[0].spawn(Worker, number).result(30)

        threads = [threading.Thread(target=use, args=(number,)) for number in range(6)]
        for thread in threads: thread.start()
        for thread in threads: thread.join()
        made[0].shutdown()
        print(sorted(results.items()))
    """
    (tmp_path / "script.py").write_text(textwrap.dedent(script))
    done = python("script.py", cwd=tmp_path)
    assert (done.stdout, done.stderr) == (f"{[(number, number**2) for number in range(6)]}\n", "")


ASYNC = """
    import asyncio, os, sys
    from understudy import ActorSystem, Process
    from tests.stage import hold, note

    class Waits(Process):
        def __loop__(self):
            hold("gate")
            self.stop()
        def __onfinish__(self):
            hold("exit")
        def __result__(self):
            return "went through"

    async def beat(stopped):
        beats = 0
        while not stopped.is_set():
            await asyncio.sleep(0)
            beats += 1
            if beats == 200:
                open("gate", "w").close()  # while the loop awaits the actor
        return beats

    async def main():
        stopped = asyncio.Event()
        async with asyncio.TaskGroup() as group:
            beats = group.create_task(beat(stopped))
            async with ActorSystem() as system:
                first, second = system.spawn(Waits), system.spawn(Waits)
                await first.aio.wait_ready(30)
                asyncio.get_running_loop().call_later(0, open("exit", "w").close)
                told = await asyncio.gather(first.aio.result(), second.aio.result(30))
                before = beats.done()
                system.spawn(Waits)  # ended by leaving the block
            print(told, before, system.is_open)
            stopped.set()
        print(beats.result() >= 200)

    asyncio.run(main())
"""


def test_an_asyncio_program_whose_loop_goes_on_while_it_awaits(tmp_path):
    with parent(textwrap.dedent(ASYNC), tmp_path) as process:
        assert [said(process), said(process)] == ["['went through', 'went through'] False False", "True"]
        assert process.wait(30) == 0


INTERRUPTED = """
    import asyncio, os, sys
    from understudy import ActorSystem, Process
    from tests.stage import hold, note

    class Waits(Process):
        def __loop__(self):
            note("pids", os.getpid())
            self.sleep(600)
        def __onfinish__(self):
            note("said", "goes in order")
            while "deaf" in sys.argv:
                hold("never")

    async def main():
        async with ActorSystem() as system:
            ref = system.spawn(Waits, config={"stop.command": 600})
            await ref.aio.wait_ready(30)
            print("up", flush=True)
            await ref.aio

    try:
        asyncio.run(main())
    except KeyboardInterrupt:
        print("interrupted", flush=True)
"""


@pytest.mark.parametrize("kind", ["willing", "deaf"])
def test_ctrl_c_leaves_an_asyncio_program_in_order_and_a_second_one_at_once(tmp_path, kind):
    with parent(textwrap.dedent(INTERRUPTED), tmp_path, kind) as process:
        assert said(process) == "up"
        (pid,) = noted(tmp_path / "pids")
        process.send_signal(signal.SIGINT)
        assert noted(tmp_path / "said") == ["goes in order"]
        if kind == "deaf":
            process.send_signal(signal.SIGINT)
        assert said(process) == "interrupted"
        assert process.wait(30) == 0
        gone(int(pid))


def test_a_prompt_that_is_kept_open_and_defines_a_class_anew(tmp_path):
    """`python -i` behind a pipe: one actor of each definition, spawned from the same system."""
    lines = """
        import sys; sys.ps1 = sys.ps2 = ""
        from understudy import ActorSystem, Process
        system = ActorSystem()
        class Part(Process):
            def __loop__(self): self.stop()
            def __result__(self): return "first"

        first = system.spawn(Part)
        print(first.result(30), flush=True)
        class Part(Process):
            def __loop__(self): self.stop()
            def __result__(self): return "second"

        print(system.spawn(Part).result(30), flush=True)
        print(first.restart(), system.ref(first.name).result(30), flush=True)
        exit()
    """
    done = python("-i", "-q", stdin=textwrap.dedent(lines).lstrip(), cwd=tmp_path)
    assert done.stdout.split() == ["first", "second", "ended", "first"], done.stderr


def test_a_detached_program_without_any_standard_stream(tmp_path):
    script = f"""
        import os
        for fd in (0, 1, 2):
            os.close(fd)
        import sys
        sys.stdin = sys.stdout = sys.stderr = None
        from understudy import ActorSystem, Process
        class Worker(Process):
            def __loop__(self):
                print("into nothing")
                self.stop()
            def __result__(self):
                return 41
        with ActorSystem() as system:
            for host in ("process", "spawn"):
                with open({os.fspath(tmp_path / "told")!r}, "a") as file:
                    print(system.spawn(Worker, host=host).result(30), file=file)
    """
    (tmp_path / "script.py").write_text(textwrap.dedent(script))
    done = python("script.py", cwd=tmp_path)
    assert done.returncode == 0
    assert noted(tmp_path / "told", 2) == ["41", "41"]


def test_a_mark_of_the_scripts_own_is_itself_also_where_the_script_has_another_name(tmp_path):
    """`multiprocessing` lists the script's module a second time, under a name that no child can import."""
    script = """
        import multiprocessing
        from understudy import ActorSystem
        MISSING = object()

        def get(default=MISSING):
            return default is MISSING

        with ActorSystem() as system:
            print(system.spawn(get).result(timeout=20))
    """
    done = python("-c", textwrap.dedent(script), cwd=tmp_path)
    assert done.stdout == "True\n", done.stderr
