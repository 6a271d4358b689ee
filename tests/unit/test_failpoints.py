"""Failpoints: what arms them, what they do, and that they cost nothing otherwise."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
import timeit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from understudy import failpoints
from understudy.errors import ConfigError
from understudy.failpoints import NAMES, VARIABLE, hit, load

HIT = """
import resource
from understudy.failpoints import hit
resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
print(hit('child.boot', 1), flush=True)
"""


@pytest.fixture(autouse=True)
def disarmed():
    load(None)
    yield
    load(None)


def child(text: str) -> subprocess.Popen[str]:
    """A Python process that hits `child.boot` with these failpoints in its environment."""
    environment = {**os.environ, VARIABLE: text}
    return subprocess.Popen(
        [sys.executable, "-c", HIT], env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def test_nothing_happens_where_nothing_is_armed():
    assert [hit(name) for name in NAMES] == [False] * len(NAMES)


@pytest.mark.parametrize("text", [None, "", " ", ";", " ; ; "])
def test_an_empty_text_disarms(text):
    load("child.boot=skip")
    assert hit("child.boot")
    load(text)
    assert not hit("child.boot")


def test_an_armed_point_fires_every_time_and_no_other_does():
    load("child.boot=skip")
    assert [hit("child.boot", 1), hit("child.boot", 2), hit("child.boot")] == [True, True, True]
    assert not any(hit(name, 1) for name in NAMES if name != "child.boot")


def test_an_incarnation_restricts_an_entry():
    load("child.boot@2=skip")
    assert [hit("child.boot", each) for each in (1, 2, 3, 22, None)] == [False, True, False, False, False]


def test_loading_replaces_what_was_armed():
    load("child.boot=skip")
    load("child.open=skip")
    assert (hit("child.boot"), hit("child.open")) == (False, True)


def test_raise_raises_with_its_text():
    load("child.boot=raise:no luck: a=b@c")
    with pytest.raises(RuntimeError, match=r"^no luck: a=b@c$"):
        hit("child.boot")
    load("child.boot=raise")
    with pytest.raises(RuntimeError, match=r"^failpoint child\.boot$"):
        hit("child.boot")


def test_sleep_sleeps_its_seconds_and_leaves_nothing_out(monkeypatch):
    slept: list[float] = []
    monkeypatch.setattr(time, "sleep", slept.append)
    load("child.boot=sleep:0.05;child.open=sleep:3")
    assert (hit("child.boot"), hit("child.open")) == (False, False)
    assert slept == [0.05, 3.0]


def test_a_sleep_is_a_real_one():
    load("child.boot=sleep:0.1")
    before = time.monotonic()
    hit("child.boot")
    assert time.monotonic() - before >= 0.1


def test_entries_for_one_point_act_in_the_order_written(monkeypatch):
    slept: list[float] = []
    monkeypatch.setattr(time, "sleep", slept.append)
    load("child.boot=sleep:1;child.boot@2=skip;child.boot=sleep:2;child.boot@2=raise:last")
    assert not hit("child.boot", 1)
    with pytest.raises(RuntimeError, match="last"):
        hit("child.boot", 2)
    assert slept == [1.0, 2.0, 1.0, 2.0]


def test_skip_holds_over_what_follows_it(monkeypatch):
    monkeypatch.setattr(time, "sleep", lambda _seconds: None)
    load("child.boot=skip;child.boot=sleep:1")
    assert hit("child.boot") is True


def test_spaces_around_the_parts_are_let_be():
    load("  child.boot @ 2 = skip ;\n child.open = raise : why ")
    assert hit("child.boot", 2)
    with pytest.raises(RuntimeError, match=r"^why$"):
        hit("child.open")


@pytest.mark.parametrize(
    ("entry", "why"),
    [
        ("child.boot", "name=action"),
        ("=skip", "no failpoint ''"),
        ("child.bot=skip", r"no failpoint 'child\.bot'; did you mean 'child\.boot'\?"),
        ("zzz=skip", r"no failpoint 'zzz'$"),
        ("child.boot=", "'' is no action"),
        ("child.boot=explode", "'explode' is no action; there are kill9, segv"),
        ("child.boot@=skip", "an incarnation, 1 or more, not ''"),
        ("child.boot@0=skip", "an incarnation, 1 or more, not '0'"),
        ("child.boot@-1=skip", "an incarnation, 1 or more"),
        ("child.boot@two=skip", "an incarnation, 1 or more"),
        ("child.boot@²=skip", "an incarnation, 1 or more"),
        (f"child.boot@{'9' * 5000}=skip", "an incarnation, 1 or more"),
        ("child.boot=skip:", "nothing stands after the colon"),
        ("child.boot=skip:1", "skip takes no argument"),
        ("child.boot=kill9:1", "kill9 takes no argument"),
        ("child.boot=stop:1", "stop takes no argument"),
        ("child.boot=segv:1", "segv takes no argument"),
        ("child.boot=exit", "exit takes a code from 0 to 255"),
        ("child.boot=exit:256", "exit takes a code from 0 to 255"),
        ("child.boot=exit:-1", "exit takes a code from 0 to 255"),
        ("child.boot=exit:one", "exit takes a code from 0 to 255"),
        ("child.boot=sleep", "sleep takes a number of seconds"),
        ("child.boot=sleep:-1", "sleep takes a number of seconds"),
        ("child.boot=sleep:nan", "sleep takes a number of seconds"),
        ("child.boot=sleep:inf", "sleep takes a number of seconds"),
        ("child.boot=sleep:1e300", "sleep takes a number of seconds"),
        ("child.boot=sleep:soon", "sleep takes a number of seconds"),
    ],
)
def test_a_malformed_entry_is_refused_by_name_and_leaves_armed_what_was(entry, why):
    load("child.open=skip")
    with pytest.raises(ConfigError, match=why) as caught:
        load(f"child.boot=skip;{entry}")
    assert str(caught.value).startswith(f"failpoint {entry!r}: ")
    assert (hit("child.open"), hit("child.boot")) == (True, False)


@given(st.text(st.sampled_from("childbot.@=;:skipraeln0129 -"), max_size=40) | st.text(max_size=40))
def test_any_text_is_taken_or_refused_as_a_config_error(text):
    try:
        load(text)
    except ConfigError as error:
        assert str(error).startswith("failpoint ")  # noqa: PT017 - either outcome is right


def test_hitting_an_unknown_point_is_an_error_once_anything_is_armed():
    load("child.boot=skip")
    with pytest.raises(ConfigError, match=r"did you mean 'child\.ready'"):
        hit("child.redy")


@pytest.mark.parametrize("name", NAMES)
def test_every_point_has_a_sentence_and_can_be_armed(name):
    assert NAMES[name].endswith(".")
    load(f"{name}@7=skip")
    assert hit(name, 7)


@pytest.mark.parametrize(
    ("action", "status"),
    [("kill9", -signal.SIGKILL), ("segv", -signal.SIGSEGV), ("exit:0", 0), ("exit:77", 77)],
)
def test_a_process_armed_by_its_environment_ends_as_told(action, status):
    process = child(f"child.boot={action}")
    stdout, _ = process.communicate(timeout=30)
    assert (process.returncode, stdout) == (status, "")


def test_a_process_told_to_stop_stands_until_it_is_continued():
    process = child("child.boot=stop")
    _, status = os.waitpid(process.pid, os.WUNTRACED)
    assert os.WIFSTOPPED(status)
    assert os.WSTOPSIG(status) == signal.SIGSTOP
    process.send_signal(signal.SIGCONT)
    stdout, _ = process.communicate(timeout=30)
    assert (process.returncode, stdout) == (0, "False\n")


def test_a_process_without_the_variable_or_for_another_incarnation_goes_on():
    for text in ("", "child.boot@2=kill9", "child.open=kill9"):
        process = child(text)
        stdout, _ = process.communicate(timeout=30)
        assert (process.returncode, stdout) == (0, "False\n")


def test_a_malformed_variable_is_told_at_import():
    process = child("child.bot=kill9")
    _, stderr = process.communicate(timeout=30)
    assert process.returncode == 1
    assert "ConfigError: failpoint 'child.bot=kill9': there is no failpoint 'child.bot'" in stderr


def test_an_unarmed_point_looks_nothing_up(monkeypatch):
    looked_up: list[str] = []
    monkeypatch.setattr(failpoints, "_fire", lambda name, _incarnation: looked_up.append(name))
    hit("child.boot", 1)
    assert looked_up == []
    load("child.open=skip")
    hit("child.boot", 1)
    assert looked_up == ["child.boot"]


def test_an_unarmed_point_costs_next_to_nothing():
    # some 0.05 s on a quiet machine
    assert timeit.timeit(lambda: hit("child.boot", 1), number=1_000_000) < 5
