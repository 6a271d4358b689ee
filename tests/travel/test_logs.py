"""A record that an actor logs by a logger of its state reaches, once, each handler of it in the parent."""

from __future__ import annotations

import logging

import pytest

from tests.stage import Keeps, until
from understudy import Process

pytestmark = pytest.mark.requirement("P10")


class Logs(Process):
    def __init__(self, *loggers):
        self.loggers = loggers
        self.config.num_loops = 1

    def __loop__(self):
        for logger in self.loggers:
            logger.info("from %s", logger.name)


class Loud(logging.Logger):
    """A program's own kind of logger."""

    def __init__(self, name):
        super().__init__(name)
        self.sign = "!"

    def shout(self, text):
        self.info(text.upper() + self.sign)


class Shouts(Process):
    def __init__(self, logger):
        self.logger = logger
        self.config.num_loops = 1

    def __loop__(self):
        self.logger.shout("quiet")


@pytest.fixture
def handled():
    """Makes loggers with handlers that keep their records; undone in the end."""
    made = []

    def make(name, count, *, propagate=True, level=logging.INFO):
        logger = logging.getLogger(name)
        logger.setLevel(level)
        logger.propagate = propagate
        keeps = [Keeps() for _ in range(count)]
        for keep in keeps:
            logger.addHandler(keep)
        made.append((logger, keeps))
        return logger, keeps

    yield make
    for logger, keeps in made:
        for keep in keeps:
            logger.removeHandler(keep)
        logger.propagate = True
        logger.setLevel(logging.NOTSET)


def texts(keep):
    return [record.getMessage() for record in keep.records]


@pytest.mark.parametrize("host", ["process", "spawn"])
@pytest.mark.parametrize("propagate", [True, False])
def test_each_handler_gets_each_record_once(system, handled, host, propagate):
    parent, (above,) = handled("tests.travel.logs", 1)
    child, (one, other) = handled("tests.travel.logs.deep", 2, propagate=propagate)
    assert system.spawn(Logs, child, parent, host=host).wait(20) == "FINISHED"
    until(lambda: above.records and one.records and other.records, 20, "the records")
    system.shutdown()  # which waits for what is still on its way
    assert texts(one) == texts(other) == ["from tests.travel.logs.deep"]
    assert texts(above) == ["from tests.travel.logs.deep"] * propagate + ["from tests.travel.logs"]
    assert logging.getLogger("tests.travel.logs.deep").handlers == [one, other]


def test_the_root_logger_is_the_root_there_too(system, handled):
    root, (keep,) = logging.getLogger(), [Keeps()]
    level = root.level
    root.addHandler(keep)
    root.setLevel(logging.INFO)
    try:
        system.spawn(Logs, root).wait(20)
        until(lambda: "from root" in texts(keep), 20, "the record")
        system.shutdown()
    finally:
        root.removeHandler(keep)
        root.setLevel(level)
    assert texts(keep).count("from root") == 1


def test_a_logger_of_a_class_keeps_its_methods(system):
    logging.setLoggerClass(Loud)
    try:
        logger = logging.getLogger("tests.travel.loud")
    finally:
        logging.setLoggerClass(logging.Logger)
    keep = Keeps()
    logger.addHandler(keep)
    logger.setLevel(logging.INFO)
    system.spawn(Shouts, logger).wait(20)
    until(lambda: keep.records, 20, "the record")
    logger.removeHandler(keep)
    assert texts(keep) == ["QUIET!"]
