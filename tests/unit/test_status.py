"""The frozen values that every floor shares."""

from __future__ import annotations

import dataclasses
import json
import pickle
from typing import Any

import msgpack
import pytest

from understudy.stats import ErrorEvent, Stats
from understudy.status import ActorInfo, ActorTable, Crash, DeathReport, Event, Health, Life, Status, Usage

FULL = ActorInfo(
    name="crawler/fetch-3",
    uid=7,
    pid=4711,
    status=Status.RUNNING,
    health=Health.HEALTHY,
    alive=True,
    incarnation=2,
    lives_left=1,
    lap=17,
    laps_left=83,
    section="loop",
    progress=41.6,
    note="half of it",
    runtime=12.34,
    cpu_percent=12.3,
    memory_mb=20.5,
    stats=Stats(
        1.0, None, 16, 16, 8.0, 0.4, 0.6, 1, 1, 0, (ErrorEvent(2.0, 1, "error", "loop", 3, "it fell"),), (0.5,)
    ),
    completed_laps=16,
)


# --- statuses


@pytest.mark.requirement("L4")
def test_there_are_eight_statuses_of_which_three_are_final():
    assert [status.value for status in Status] == [
        "CREATED",
        "STARTING",
        "RUNNING",
        "STOPPING",
        "RESTARTING",
        "FINISHED",
        "CRASHED",
        "KILLED",
    ]
    assert [status for status in Status if status.ended] == [Status.FINISHED, Status.CRASHED, Status.KILLED]


@pytest.mark.parametrize("word", [*Status, *Health])
def test_statuses_and_healths_are_their_words(word: Any):
    assert word == word.value == str(word) == f"{word}"
    assert json.loads(json.dumps(word)) == word.value
    assert pickle.loads(pickle.dumps(word)) is word


# --- rows


def test_a_row_survives_json_and_msgpack():
    assert ActorInfo.from_dict(json.loads(json.dumps(FULL.to_dict()))) == FULL
    assert ActorInfo.from_dict(msgpack.unpackb(msgpack.packb(FULL.to_dict()))) == FULL
    read = ActorInfo.from_dict(FULL.to_dict())
    assert (type(read.status), type(read.health)) == (Status, Health)
    assert (type(FULL.to_dict()["status"]), type(FULL.to_dict()["health"])) == (str, str)
    empty = ActorInfo("w", 1)
    assert ActorInfo.from_dict(empty.to_dict()) == empty


def test_a_row_of_a_newer_version_is_read_without_what_is_new():
    assert ActorInfo.from_dict({**FULL.to_dict(), "invented_later": 1}) == FULL


def test_rows_print_as_a_table():
    table = ActorTable([FULL, ActorInfo("w", 8, status=Status.CRASHED, health=Health.FAILED)])
    head, first, second = str(table).splitlines()
    assert head.split() == list(ActorTable.COLUMNS)
    assert first.split() == [
        "crawler/fetch-3",
        "4711",
        "RUNNING",
        "healthy",
        "2",
        "1",
        "17",
        "loop",
        "42",
        "%",
        "12",
        "%",
        "20.5",
        "MiB",
        "12.3",
        "s",
    ]
    assert second.split() == ["w", "-", "CRASHED", "failed", "0", "0", "0", "-", "-", "-", "-", "-"]
    assert first.index("RUNNING") == second.index("CRASHED") == head.index("status")
    assert repr(table) == str(table)
    assert table[0] is FULL
    assert str(ActorTable()) == "(no actors)"


@pytest.mark.parametrize("value", [FULL, Usage(), Crash("exit", 1), DeathReport("w", 1, 1, "x"), Life(1, None, 0.0)])
def test_values_are_frozen_and_travel(value: Any):
    with pytest.raises(dataclasses.FrozenInstanceError):
        setattr(value, dataclasses.fields(value)[0].name, "changed")
    assert pickle.loads(pickle.dumps(value)) == value


def test_an_event_has_its_place_in_the_stream():
    event = Event(7, 3, "state", "w", 1, 2, "RUNNING", "STOPPING", "stop")
    assert (event.seq, event.prev) == (7, 3)
    assert event.time > 0
    assert event.data == {}


# --- crashes


def test_a_crash_travels_as_plain_values():
    crash = Crash(
        "error", 3, section="loop", lap=17, text="no luck", type_name="RuntimeError", payload=(b"p", b"buffer")
    )
    plain = msgpack.unpackb(msgpack.packb(crash.to_dict()))
    assert Crash.from_dict(plain) == crash
    mapped = dataclasses.replace(crash, payload=(b"p", memoryview(b"buffer")))
    assert Crash.from_dict(mapped.to_dict()) == crash


def crash(kind: str, **facts: Any) -> Crash:
    return Crash(kind, 1, **facts)


@pytest.mark.requirement("E4")
@pytest.mark.parametrize(
    ("crash", "headline"),
    [
        (
            crash("error", section="preloop", lap=1, type_name="RuntimeError", text="Connection refused"),
            "RuntimeError: Connection refused (__preloop__ of indexer, lap 1, incarnation 1)",
        ),
        (
            crash("error", section="loop", lap=17, type_name="ValueError"),
            "ValueError (__loop__ of indexer, lap 17, incarnation 1)",
        ),
        (
            crash("timeout", section="loop", lap=17, seconds=2.5),
            "__loop__ of indexer ran 2.5 s (lap 17, incarnation 1)",
        ),
        (
            crash("timeout", section="loop", lap=17, seconds=300.0),
            "__loop__ of indexer ran 300 s (lap 17, incarnation 1)",
        ),
        (
            crash("timeout", section="loop", lap=17),
            "__loop__ of indexer ran too long (lap 17, incarnation 1)",
        ),
        (
            crash("signal", section="loop", lap=17, text="was ended by SIGSEGV", signal="SIGSEGV"),
            "indexer was ended by SIGSEGV in __loop__ (lap 17, incarnation 1)",
        ),
        (
            crash("exit", lap=17, text="exited without a result", exit_code=0),
            "indexer exited without a result (lap 17, incarnation 1)",
        ),
        (
            crash("signal", phase="connecting", text="was ended by SIGKILL"),
            "indexer was ended by SIGKILL while connecting, before READY (incarnation 1)",
        ),
        (
            crash("boot", phase="opening its state", type_name="ModuleNotFoundError", text="No module named 'texts'"),
            "ModuleNotFoundError: No module named 'texts' (while indexer was opening its state, incarnation 1)",
        ),
        (
            crash("startup", phase="opening its state", seconds=0.5),
            "indexer was not READY within 0.5 s; it was opening its state (incarnation 1)",
        ),
        (
            crash("startup", seconds=0.5),
            "indexer was not READY within 0.5 s; it was ready a moment later (incarnation 1)",
        ),
        (
            crash("unborn", text="could not be forked: EAGAIN"),
            "indexer could not be forked: EAGAIN (incarnation 1)",
        ),
    ],
    ids=lambda part: part if isinstance(part, str) else part.kind,
)
def test_a_crash_says_in_one_line_what_where_and_to_whom(crash: Crash, headline: str):
    assert crash.headline("indexer") == headline


# --- death reports


def test_a_death_report_prints_as_a_page():
    report = DeathReport(
        name="indexer",
        uid=7,
        incarnation=2,
        cause="indexer was ended by SIGSEGV in __loop__ (lap 17, incarnation 2)",
        signal="SIGSEGV",
        section="loop",
        lap=17,
        runtime=12.3456,
        usage=Usage(1.5, 0.25, 64.0),
        stderr=("first", "second"),
        stacks="Fatal Python error: Segmentation fault\n  File x",
        events=("1.000 indexer#2 Ready()",),
    )
    assert str(report).splitlines() == [
        "indexer (incarnation 2, uid 7): indexer was ended by SIGSEGV in __loop__ (lap 17, incarnation 2)",
        "  ended by SIGSEGV in __loop__, lap 17, after 12.346 s",
        "  used 1.50 s user, 0.25 s system, 64.0 MiB",
        "  last lines of stderr:",
        "    first",
        "    second",
        "  last events:",
        "    1.000 indexer#2 Ready()",
        "  stacks:",
        "    Fatal Python error: Segmentation fault",
        "      File x",
    ]


@pytest.mark.parametrize(
    ("ending", "words"),
    [
        ({"exit_code": 3}, "exit code 3"),
        ({"exit_code": 0}, "exit code 0"),
        ({"signal": "SIGKILL"}, "SIGKILL"),
        ({}, "unknown"),
    ],
)
def test_a_death_report_says_how_the_process_ended(ending: dict[str, Any], words: str):
    assert f"  ended by {words}, after 0.000 s" in str(DeathReport("w", 1, 1, "x", **ending))


def test_the_table_says_left_for_restarts_that_are_left():
    info = ActorInfo("a", 1, incarnation=2, lives_left=7)
    head, row = str(ActorTable([info])).splitlines()
    assert row[head.index(" left ") + 1 :].split()[0] == "7"
