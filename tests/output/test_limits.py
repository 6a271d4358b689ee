"""So many records in a second, so long ones; what is beyond is counted and told."""

from __future__ import annotations

import logging
import re

import pytest

from tests.stage import Keeps, until
from understudy import Process

LEFT_OUT = re.compile(r"(\d+) records of (\S+) were left out in the last second")


@pytest.fixture
def records():
    root, keeps = logging.getLogger(), Keeps()
    level = root.level
    root.addHandler(keeps)
    root.setLevel(logging.DEBUG)
    yield keeps.records
    root.removeHandler(keeps)
    root.setLevel(level)


class Logs(Process):
    """Logs so many records, and has a result."""

    def __init__(self, count, pause=0.0):
        self.count, self.pause = count, pause
        self.config.num_loops = 1

    def __loop__(self):
        for number in range(self.count):
            self.log.info("%d", number)
        self.sleep(self.pause)

    def __result__(self):
        return "said"


def told(records):
    """The numbers that arrived, and how many were said to be left out."""
    texts = [record.getMessage() for record in records if getattr(record, "actor", None)]
    left = [LEFT_OUT.fullmatch(text) for text in texts]
    return [int(text) for text in texts if text.isdigit()], sum(int(found[1]) for found in left if found)


@pytest.mark.requirement("C3")
def test_what_is_logged_beyond_a_thousand_in_a_second_is_counted_and_told(system, host, records):
    ref = system.spawn(Logs, 5000, name="loud", host=host)
    assert ref.result(30) == "said"
    system.shutdown()
    arrived, left_out = told(records)
    assert arrived[:1000] == list(range(1000))
    assert len(arrived) + left_out == 5000
    assert left_out > 0
    (warning, *_) = [record for record in records if LEFT_OUT.fullmatch(record.getMessage())]
    assert (warning.levelname, warning.name, warning.actor) == ("WARNING", "understudy.actor.loud", "loud")
    assert " records of loud were left out" in warning.getMessage()


def test_it_is_told_while_the_actor_says_nothing_more(system, records):
    ref = system.spawn(Logs, 1500, 600, name="loud", config={"heartbeat.interval": 0.05})

    def accounted_for():
        arrived, left_out = told(records)
        return left_out > 0 and len(arrived) + left_out

    until(lambda: accounted_for() == 1500, 20, "the count of all")
    assert told(records)[0][:1000] == list(range(1000))
    ref.kill()


def test_the_limit_is_a_setting_and_each_actor_has_its_own(system, records):
    few = system.spawn(Logs, 100, name="few", config={"limits.records": 10})
    all_ = system.spawn(Logs, 3000, name="all", config={"limits.records": None})
    assert [few.result(30), all_.result(30)] == ["said", "said"]
    system.shutdown()
    of_few = [record for record in records if getattr(record, "actor", "") == "few"]
    of_all = [record for record in records if getattr(record, "actor", "") == "all"]
    arrived, left_out = told(of_few)
    assert arrived[:10] == list(range(10))
    assert len(arrived) + left_out == 100
    assert told(of_all) == (list(range(3000)), 0)


@pytest.mark.requirement("C3")
def test_a_record_has_64_kib_of_text_and_says_what_is_missing(system, records):
    class Long(Process):
        def __init__(self):
            self.config.num_loops = 1

        def __loop__(self):
            log = logging.getLogger("app")
            log.info("a" * 100_000)
            log.info("ä" * 100_000)
            log.info("short", extra={"long": "e" * 100_000, "number": 7})
            try:
                raise ValueError("v" * 100_000)
            except ValueError:
                log.exception("m" * 100_000)
            log.info("b" * 60_000)

    assert system.spawn(Long).result(30) is None
    system.shutdown()
    by_letter = {record.getMessage()[:1]: record for record in records if record.name == "app"}
    assert len(by_letter) == 5
    for record in by_letter.values():
        # `message` is what formatters here make of `msg`.
        texts = [value for key, value in vars(record).items() if isinstance(value, str) and key != "message"]
        assert sum(len(text.encode()) for text in texts) <= 66_000
    assert re.search(r"aaa\.\.\. \(\d+ bytes more\)$", by_letter["a"].getMessage())
    assert (by_letter["s"].number, by_letter["s"].getMessage()) == (7, "short")
    assert re.search(r"\.\.\. \(\d+ bytes more\)$", by_letter["s"].long)
    assert by_letter["m"].exc_text.startswith("(")
    assert by_letter["m"].exc_text.endswith("v" * 1000)
    assert by_letter["b"].getMessage() == "b" * 60_000


@pytest.mark.requirement("C3")
def test_log_laps_is_a_record_a_lap_up_to_the_limit(system, records):
    def quick():
        pass

    class Laps(Process):
        def __init__(self):
            self.config.num_loops = 1500
            self.config.log_laps = True

        def __loop__(self):
            quick()

    system.spawn(Laps).result(30)
    system.shutdown()
    laps = [record for record in records if record.getMessage().startswith("lap ")]
    assert len(laps) + told(records)[1] == 1500
    assert len(laps) >= 1000
