"""What the audit log says, and that a flood of refusals is summed up."""

from __future__ import annotations

import logging
import threading

import pytest

from understudy.router.audit import ONE_BY_ONE, Audit, Who

CARL, EVE = Who("carl", "controller", "192.0.2.7"), Who("eve", "observer", "192.0.2.8")


@pytest.fixture
def told():
    return []


@pytest.fixture
def audit(told):
    return Audit(told.append)


def texts(told):
    return [record["msg"] for record in told]


def test_a_deed_is_told_with_who_what_whom_and_what_came_of_it(audit, told):
    audit.did(CARL, "kill", ["a", "b*"], {"a": "asked"})
    audit.did(CARL, "shutdown", None, "SystemClosed: it was shut down")
    assert texts(told) == [
        "carl (controller) from 192.0.2.7: kill ['a', 'b*']: {'a': 'asked'}",
        "carl (controller) from 192.0.2.7: shutdown: SystemClosed: it was shut down",
    ]
    record = logging.makeLogRecord(told[0])
    assert (record.name, record.levelno, record.levelname) == ("understudy.audit", logging.INFO, "INFO")
    assert {key: told[0][key] for key in ("user", "role", "address", "verb", "whom", "outcome")} == {
        "user": "carl", "role": "controller", "address": "192.0.2.7",
        "verb": "kill", "whom": "['a', 'b*']", "outcome": "{'a': 'asked'}",
    }  # fmt: skip


def test_what_is_asked_for_can_neither_forge_a_line_nor_fill_the_log(audit, told):
    audit.did(CARL, "stop", "a\ncarl (controller) from nowhere: kill", {str(n): "asked" for n in range(10_000)})
    audit.refused(EVE, "stop", ["x" * 1_000] * 1_000, "denied", "no")
    assert not any("\n" in text for text in texts(told))
    assert all(len(text) < 1_000 for text in texts(told))
    assert all(len(str(record)) < 4_000 for record in told)


def test_so_many_refusals_are_told_one_by_one_in_a_period_and_the_others_summed_up(audit, told):
    for _ in range(ONE_BY_ONE + 500):
        audit.refused(EVE, "kill", "a", "denied", "no")
    for _ in range(30):
        audit.refused(CARL, "", None, "busy", "too many")
    assert len(told) == ONE_BY_ONE
    assert told[0]["levelname"] == "WARNING"
    assert texts(told)[0] == "eve (observer) from 192.0.2.8: kill 'a' was refused (denied): no"
    audit.sum_up()
    assert texts(told)[ONE_BY_ONE:] == [
        "30 more requests were refused: busy to carl (controller) from 192.0.2.7",
        "500 more requests were refused: denied to eve (observer) from 192.0.2.8",
    ]
    audit.sum_up()
    assert len(told) == ONE_BY_ONE + 2
    audit.refused(CARL, "", None, "busy", "too many")
    assert texts(told)[-1] == "carl (controller) from 192.0.2.7: a request was refused (busy): too many"


def test_deeds_are_told_however_many_there_are(audit, told):
    for _ in range(ONE_BY_ONE * 5):
        audit.did(CARL, "pause", "a", {"a": "asked"})
    assert len(told) == ONE_BY_ONE * 5


def test_who_is_turned_away_by_any_thread_is_told_when_it_is_summed_up_in_few_records(audit, told):
    def flood(number):
        for at in range(1_000):
            audit.turned_away(f"somebody from {number}.{at % 100}")

    threads = [threading.Thread(target=flood, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    audit.turned_away("somebody from 0.0")
    assert told == []
    audit.sum_up()
    assert len(told) <= 51
    counts = [int(text.split(", ")[1].split()[0]) if "times" in text else 1 for text in texts(told)]
    assert sum(counts) == 4_001
    assert any(text.startswith("somebody else was not let in") for text in texts(told))


def test_the_logger_tells_what_was_done_unless_somebody_has_set_its_level():
    logger = logging.getLogger("understudy.audit")
    before = logger.level
    try:
        for level, then in ((logging.NOTSET, logging.INFO), (logging.ERROR, logging.ERROR)):
            logger.setLevel(level)
            Audit.begin()
            assert logger.level == then
    finally:
        logger.setLevel(before)
