"""Log records of actors: each reaches the handlers of its logger in the parent, once, before the shutdown ends."""

from __future__ import annotations

import importlib
import logging
import os
import sys
import textwrap
import threading
import time

import pytest

from tests.stage import Keeps, note, notes, python, until
from understudy import MainLoopError, Process
from understudy.router.logs import LogThread, about

pytestmark = pytest.mark.requirement("P10")


class Logs(Process):
    """Calls what it is given with itself, in its only lap."""

    def __init__(self, act):
        self.act = act

    def __loop__(self):
        self.act(self)
        self.stop()


@pytest.fixture
def loggers():
    """Sets up loggers of the parent, and puts them back."""
    changed = []

    def logger(name, *, level=logging.NOTSET, propagate=True):
        found, keeps = logging.getLogger(name), Keeps()
        changed.append((found, keeps, found.level, found.propagate))
        found.addHandler(keeps)
        found.setLevel(level)
        found.propagate = propagate
        return keeps

    yield logger
    for found, keeps, level, propagate in changed:
        found.removeHandler(keeps)
        found.setLevel(level)
        found.propagate = propagate


def of_actors(records):
    return [record for record in records if hasattr(record, "actor")]


def texts(records):
    return [record.getMessage() for record in of_actors(records)]


def test_every_record_reaches_the_roots_handler_once_and_whole(system, host, records):
    def speak(process):
        logging.getLogger("app.worker").info("took %d of %s", 3, "seven", extra={"order": 17})
        process.log.warning("of its own logger")
        logging.getLogger().error("of the root logger")
        try:
            raise LookupError("nothing there")
        except LookupError:
            logging.getLogger("app").exception("it failed")

    ref = system.spawn(Logs, speak, name="crew/speaker", host=host)
    ref.wait(20)
    system.shutdown()
    told = of_actors(records)
    assert [(record.name, record.levelname, record.getMessage()) for record in told] == [
        ("app.worker", "INFO", "took 3 of seven"),
        ("understudy.actor.crew.speaker", "WARNING", "of its own logger"),
        ("root", "ERROR", "of the root logger"),
        ("app", "ERROR", "it failed"),
    ]
    first, *_, last = told
    assert (first.actor, first.incarnation, first.order) == ("crew/speaker", 1, 17)
    assert (first.processName, first.process) == ("crew/speaker", ref.history()[0].pid)
    assert (first.filename, first.funcName) == (os.path.basename(__file__), "speak")
    assert abs(first.created - time.time()) < 60
    assert "LookupError: nothing there" in logging.Formatter().format(last)
    assert logging.Formatter().format(last).count("Traceback") == 1


def test_a_named_loggers_handler_and_the_roots_get_it_once_each(system, host, records, loggers):
    named = loggers("app.named")
    system.spawn(Logs, lambda _: logging.getLogger("app.named.deep").warning("once"), host=host).wait(20)
    system.shutdown()
    assert texts(named.records) == ["once"]
    assert texts(records) == ["once"]


def test_a_logger_that_does_not_propagate_keeps_its_records_from_the_root(system, host, records, loggers):
    alone = loggers("app.alone", propagate=False)

    def speak(_):
        logging.getLogger("app.alone").warning("among us")
        logging.getLogger("app.alone.deep").warning("among us too")
        logging.getLogger("app").warning("for all")

    system.spawn(Logs, speak, host=host).wait(20)
    system.shutdown()
    assert texts(alone.records) == ["among us", "among us too"]
    assert texts(records) == ["for all"]


def test_levels_of_loggers_handlers_and_the_whole_hold_as_in_the_parent(system, host, records, loggers):
    quiet = loggers("app.quiet", level=logging.ERROR)
    open_ = loggers("app.open", level=logging.DEBUG)
    strict = loggers("app.open", level=logging.DEBUG)
    strict.setLevel(logging.ERROR)

    def speak(_):
        for name in ("app.quiet", "app.open", "app.other"):
            for level in (logging.DEBUG, logging.INFO, logging.ERROR):
                logging.getLogger(name).log(level, "%s %d", name, level)
        enabled = [logging.getLogger(name).isEnabledFor(logging.DEBUG) for name in ("app.quiet", "app.open")]
        logging.getLogger("app").critical("%s", enabled)

    logging.getLogger("app").setLevel(logging.INFO)
    try:
        system.spawn(Logs, speak, host=host).wait(20)
        system.shutdown()
    finally:
        logging.getLogger("app").setLevel(logging.NOTSET)
    assert texts(quiet.records) == ["app.quiet 40"]
    assert texts(open_.records) == ["app.open 10", "app.open 20", "app.open 40"]
    assert texts(strict.records) == ["app.open 40"]
    expected = ["app.quiet 40", "app.open 10", "app.open 20", "app.open 40", "app.other 20", "app.other 40"]
    assert texts(records) == [*expected, "[False, True]"]


def test_filters_of_the_parents_loggers_and_handlers_are_asked(system, records, loggers):
    keeps = loggers("app.filtered")
    keeps.addFilter(lambda record: "secret" not in record.getMessage())
    logger = logging.getLogger("app.filtered")
    logger.addFilter(censor := lambda record: "private" not in record.getMessage())

    def speak(_):
        for word in ("open", "secret", "private"):
            logging.getLogger("app.filtered").warning(word)

    try:
        system.spawn(Logs, speak).wait(20)
        system.shutdown()
    finally:
        logger.removeFilter(censor)
    assert texts(keeps.records) == ["open"]
    assert texts(records) == ["open", "secret"]


MODULE = """
    import logging, os
    from logging.config import dictConfig
    from understudy import Process
    {set_up}
    log = logging.getLogger("their.module")

    class Worker(Process):
        def __loop__(self):
            log.info("info of %s", self.name)
            log.warning("warning of %s", self.name)
            logging.getLogger("somebody.else").warning("else of %s", self.name)
            self.stop()
"""
TO_FILE = 'logging.FileHandler(os.environ["LOGGED"])'
SET_UPS = {
    "own-handler": f"own = logging.getLogger('their'); own.addHandler({TO_FILE}); own.setLevel('INFO')",
    "no-propagation": f"own = logging.getLogger('their'); own.addHandler({TO_FILE}); own.propagate = False; "
    "own.setLevel('INFO')",
    "basic-config": 'logging.basicConfig(filename=os.environ["LOGGED"], level="INFO", force=True)',
    "dict-config": 'dictConfig({"version": 1, "root": {"level": "INFO", "handlers": ["f"]}, '
    '"handlers": {"f": {"class": "logging.FileHandler", "filename": os.environ["LOGGED"]}}})',
}


@pytest.mark.parametrize("way", SET_UPS)
def test_a_module_that_sets_up_logging_at_its_import_gets_each_record_once(tmp_path, way):
    (tmp_path / "theirs.py").write_text(textwrap.dedent(MODULE).format(set_up=SET_UPS[way]))
    main = """
        import theirs
        from understudy import ActorSystem
        with ActorSystem() as system:
            for host in ("process", "spawn"):
                system.spawn(theirs.Worker, name=host, host=host).wait(20)
    """
    logged = tmp_path / "logged"
    done = python("-c", textwrap.dedent(main), cwd=tmp_path, env={"LOGGED": str(logged)})
    assert done.returncode == 0, done.stderr
    lines = [line.rpartition(":")[2] for line in notes(logged)]
    hosts = ("process", "spawn")
    wanted = [f"{level} of {name}" for name in hosts for level in ("info", "warning")]
    if way.endswith("config"):
        wanted = [f"{word} of {name}" for name in hosts for word in ("info", "warning", "else")]
    else:
        assert [line for line in done.stderr.splitlines() if line.startswith("else of")] == [
            f"else of {name}" for name in hosts
        ]
    assert lines == wanted


def test_a_level_set_after_a_modules_own_holds_in_the_child(monkeypatch, system, host, tmp_path, loggers):
    source = 'import logging; logging.getLogger("their.module").setLevel("ERROR")\n' + textwrap.dedent(MODULE)
    (tmp_path / "leveller.py").write_text(source.format(set_up=""))
    monkeypatch.syspath_prepend(tmp_path)
    worker = importlib.import_module("leveller").Worker
    keeps = loggers("their.module", level=logging.INFO)
    system.spawn(worker, name="worker", host=host).wait(20)
    system.shutdown()
    monkeypatch.delitem(sys.modules, "leveller")
    assert texts(keeps.records) == ["info of worker", "warning of worker"]


def test_a_logger_in_the_state_reaches_the_same_handlers(system, host, records, loggers):
    keeps = loggers("app.state", propagate=False)

    class Holds(Process):
        def __init__(self):
            self.logger = logging.getLogger("app.state")
            self.adapter = logging.LoggerAdapter(self.logger, {"shift": "night"})

        def __loop__(self):
            self.logger.warning("by the logger")
            self.adapter.warning("by the adapter")
            self.stop()

    system.spawn(Holds, host=host).wait(20)
    system.shutdown()
    assert texts(keeps.records) == ["by the logger", "by the adapter"]
    assert keeps.records[1].shift == "night"
    assert texts(records) == []


def test_each_life_tells_its_own_records(system, records):
    def speak(process):
        process.log.warning("life %d", process.incarnation)
        if process.incarnation < 3:
            raise ValueError("another")

    system.spawn(Logs, speak, name="cat", config={"lives": 3, "restart.backoff.base": 0}).wait(20)
    system.shutdown()
    lives = [record for record in of_actors(records) if record.getMessage().startswith("life")]
    assert [(record.getMessage(), record.incarnation) for record in lives] == [
        ("life 1", 1),
        ("life 2", 2),
        ("life 3", 3),
    ]


def test_the_last_words_before_a_crash_arrive(system, records):
    def speak(process):
        for number in range(100):
            process.log.warning("word %d", number)
        raise ValueError("and gone")

    with pytest.raises(MainLoopError):
        system.spawn(Logs, speak).result(20)
    system.shutdown()
    assert [text for text in texts(records) if text.startswith("word")] == [f"word {number}" for number in range(100)]


def test_shutdown_waits_for_every_record_though_the_handlers_are_slow(system, records):
    class Slow(Keeps):
        def emit(self, record):
            time.sleep(0.002)
            super().emit(record)

    def speak(_):
        for number in range(100):
            logger.warning("%d", number)

    slow = Slow()
    logger = logging.getLogger("app.slow")
    logger.addHandler(slow)
    try:
        system.spawn(Logs, speak).wait(20)
        system.shutdown()
    finally:
        logger.removeHandler(slow)
    assert texts(slow.records) == [str(number) for number in range(100)]


def test_a_handler_that_hangs_does_not_hold_the_end_for_ever_and_what_is_lost_is_told(capsys):
    class Hangs(Keeps):
        def emit(self, record):
            super().emit(record)
            let_go.wait(60)

    let_go, hangs = threading.Event(), Hangs()
    logger = logging.getLogger("understudy.actor.app")
    logger.addHandler(hangs)
    logs = LogThread("hung")
    try:
        for number in range(5):
            logs.put(about("app", 1, f"word {number}"))
        until(lambda: hangs.records, 20, "the first record")
        logs.close(0.1)
        assert "understudy: 5 log records of actors are lost" in capsys.readouterr().err
    finally:
        let_go.set()
        logs.close(20)
        logger.removeHandler(hangs)
    assert texts(hangs.records) == [f"word {number}" for number in range(5)]


def test_many_records_of_many_actors_all_arrive_in_each_ones_order(system, records):
    def speak(process):
        for number in range(3000):
            process.log.info("%d", number)

    refs = [system.spawn(Logs, speak, name=f"crowd/{number}", config={"limits.records": None}) for number in range(4)]
    for ref in refs:
        ref.wait(30)
    system.shutdown()
    for ref in refs:
        told = [int(record.getMessage()) for record in of_actors(records) if record.actor == ref.name]
        assert told == list(range(3000))


def test_a_handler_that_exits_ends_neither_the_log_thread_nor_the_records_after_it(system, records, loggers, capsys):
    class Exits(Keeps):
        def emit(self, record):
            super().emit(record)
            if record.getMessage() == "0":
                sys.exit(3)

    exits = Exits()
    logging.getLogger("app.exits").addHandler(exits)

    def speak(_):
        for number in range(5):
            logging.getLogger("app.exits").warning("%d", number)

    try:
        system.spawn(Logs, speak).wait(20)
        system.shutdown()
    finally:
        logging.getLogger("app.exits").removeHandler(exits)
    assert texts(exits.records) == ["0", "1", "2", "3", "4"]
    assert texts(records) == ["1", "2", "3", "4"]
    assert "SystemExit: 3" in capsys.readouterr().err


def test_a_handler_that_raises_costs_its_own_record_only(system, records, capsys):
    class Picky(Keeps):
        def emit(self, record):
            if "bad" in record.getMessage():
                raise OSError("no room")
            super().emit(record)

    def speak(_):
        for word in ("good", "bad", "good again"):
            logger.warning(word)

    picky = Picky()
    logger = logging.getLogger("app.picky")
    logger.addHandler(picky)
    try:
        system.spawn(Logs, speak).wait(20)
        system.shutdown()
    finally:
        logger.removeHandler(picky)
    assert texts(picky.records) == ["good", "good again"]
    assert "OSError: no room" in capsys.readouterr().err


def test_a_handler_that_an_actor_adds_in_a_hook_is_its_own(system, records, tmp_path):
    def speak(_):
        handler = logging.FileHandler(tmp_path / "own")
        logging.getLogger("app").addHandler(handler)
        logging.getLogger("app").warning("twice told")

    system.spawn(Logs, speak).wait(20)
    system.shutdown()
    assert notes(tmp_path / "own") == ["twice told"]
    assert texts(records) == ["twice told"]
    assert logging.getLogger("app").handlers == []


def test_a_handler_may_use_the_system_it_hears_of(system, records):
    seen = []

    class Asks(logging.Handler):
        def emit(self, record):
            seen.append(system.info(record.actor).name)

    asks = Asks()
    logger = logging.getLogger("app.asks")
    logger.addHandler(asks)
    try:
        system.spawn(Logs, lambda _: logger.warning("who am I?"), name="asked").wait(20)
        until(lambda: seen, 20, "the handler's answer")
    finally:
        logger.removeHandler(asks)
    assert seen == ["asked"]


def test_without_any_handler_a_warning_is_printed_once_by_the_parent(tmp_path):
    main = """
        import logging, os
        from understudy import ActorSystem
        def speak():
            logging.getLogger("app").info("too quiet")
            logging.getLogger("app").warning("heard once")
        with ActorSystem() as system:
            for host in ("process", "spawn"):
                system.spawn(speak, host=host).wait(20)
    """
    done = python("-c", textwrap.dedent(main), cwd=tmp_path)
    assert (done.stdout, done.stderr) == ("", "heard once\nheard once\n")
    note(tmp_path / "ran", "yes")
