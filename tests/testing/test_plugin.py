from __future__ import annotations

import os
import sys
import tempfile
import types
from pathlib import Path

import pytest

from understudy.testing import plugin

CONFTEST = """
import pytest

pytest_plugins = ["understudy.testing.plugin"]

@pytest.fixture(autouse=True)
def nothing_is_left_behind(leak_check): ...
"""

# Each ends with the pytest that runs it, so that the leak is gone when the test of the leak is over.
LEAKS = {
    "process": ("kept.append(subprocess.Popen(['cat'], stdin=subprocess.PIPE))", r"*process *: cat"),
    "zombie": ("kept.append(subprocess.Popen(['true']))", r"*zombie * (was true, child of *)"),
    "orphan": (
        "subprocess.run(['sh', '-c', 'setsid cat <&3 >/dev/null 3<&- &'], pass_fds=[3], check=True)",
        r"*process *: cat",
    ),
    "descriptor": ("kept.append(open(__file__))", r"*descriptor * -> *test_leaky.py"),
    "thread": ("threading.Thread(target=forever.wait, name='lost', daemon=True).start()", r"*thread * (lost)"),
    "file": ("tempfile.mkdtemp(prefix='understudy-')", r"*file */understudy-*"),
}


@pytest.fixture
def inner(pytester):
    """A pytest that is guarded as this one is, but knows nothing of this one's settings."""
    pytester.makeconftest(CONFTEST)
    return pytester


@pytest.mark.parametrize("kind", LEAKS)
def test_a_test_that_leaks_is_failed_at_its_end(inner, kind):
    leak, line = LEAKS[kind]
    inner.makepyfile(
        test_leaky=f"""
        import os, subprocess, tempfile, threading

        kept = []
        forever = threading.Event()
        read, write = os.pipe()  # stands before the test; its end is the end of what reads it
        if read != 3:
            os.dup2(read, 3)

        def test_leaky():
            {leak}

        def test_clean_that_follows():
            pass
        """
    )
    result = inner.runpytest_subprocess("-p", "no:cacheprovider", "-s", "-o", "leak_patience=0.1")
    result.assert_outcomes(passed=2, errors=1)
    result.stdout.fnmatch_lines(["*ERROR at teardown of test_leaky*", "the test left behind:", line])


def test_a_worker_is_not_blamed_for_what_another_one_has_under_way(inner):
    inner.makeconftest(
        CONFTEST
        + """
in_worker = []

def pytest_configure(config):
    in_worker.append(hasattr(config, "workerinput"))

def pytest_runtest_logfinish(nodeid):
    if "short" in nodeid and in_worker[0]:
        with open("over", "wb") as over:  # the check at the end of the short test is behind it
            over.write(b"x")
"""
    )
    inner.makepyfile(
        """
        import os, subprocess
        from pathlib import Path

        def say(word):
            with open(word, "wb") as fifo:
                fifo.write(b"x")

        def hear(word):
            with open(word, "rb") as fifo:
                assert fifo.read(1) == b"x"

        def test_short():
            say("begun")
            hear("held")

        def test_long():
            hear("begun")
            system = Path(os.environ["XDG_RUNTIME_DIR"]) / "understudy" / "system"
            system.mkdir(parents=True)
            with subprocess.Popen(["cat"], stdin=subprocess.PIPE, start_new_session=True):
                say("held")
                hear("over")
            system.rmdir()
        """
    )
    for word in ("begun", "held", "over"):
        os.mkfifo(inner.path / word)
    result = inner.runpytest_subprocess("-n", "2", "-o", "timeout=20", "-p", "no:cacheprovider", timeout=50)
    result.assert_outcomes(passed=2)


def test_a_patience_that_is_no_number_is_refused(inner):
    inner.makepyfile("def test_clean(): ...")
    result = inner.runpytest_subprocess("-p", "no:cacheprovider", "-o", "leak_patience=long")
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["*leak_patience is a number of seconds, not 'long'*"])


def test_places_are_private_and_leave_no_trace(inner):
    inner.makepyfile(
        """
        import os, tempfile

        def test_places(private_places, tmp_path):
            assert tempfile.gettempdir() == str(private_places / "t")
            assert os.environ["XDG_RUNTIME_DIR"] == str(private_places)
            assert private_places not in tmp_path.parents
        """
    )
    outside = Path(tempfile.gettempdir())
    before = set(outside.iterdir())
    inner.runpytest_subprocess("-p", "no:cacheprovider").assert_outcomes(passed=1)
    assert not {path.name for path in set(outside.iterdir()) - before if path.name.startswith("us-")}


def test_a_hypothesis_test_may_be_guarded(inner):
    inner.makepyfile(
        """
        from hypothesis import given, strategies as st

        @given(st.integers())
        def test_given(number):
            assert number == number
        """
    )
    inner.runpytest_subprocess("-W", "error", "-p", "no:cacheprovider").assert_outcomes(passed=1)


def test_the_default_system_is_closed_before_the_look(inner):
    inner.makepyfile(
        """
        import sys, threading, types

        def test_leaves_the_default_system_open(monkeypatch):
            stop = threading.Event()
            thread = threading.Thread(target=stop.wait, name="router")
            thread.start()

            class ActorSystem:
                @staticmethod
                def close_default():
                    stop.set()
                    thread.join()
                    print("closed")

            module = types.ModuleType("understudy.system")
            module.ActorSystem = ActorSystem
            sys.modules["understudy.system"] = module
        """
    )
    result = inner.runpytest_subprocess("-s", "-p", "no:cacheprovider")
    result.assert_outcomes(passed=1)
    result.stdout.fnmatch_lines(["*closed*"])


def test_a_default_system_that_fails_to_close_is_an_error_of_that_test(monkeypatch):
    def close_default():
        raise OSError("the router is gone")

    module = types.ModuleType("understudy.system")
    module.ActorSystem = types.SimpleNamespace(close_default=close_default)  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "understudy.system", module)
    with pytest.raises(OSError, match="router is gone"):
        plugin._close_default_system()


def test_without_a_system_there_is_nothing_to_close(monkeypatch):
    monkeypatch.delitem(sys.modules, "understudy.system", raising=False)
    plugin._close_default_system()
    assert "understudy.system" not in sys.modules
