"""Threads and exit handlers that hang at the end: a grace, then a kill; the result counts, and they are named."""

from __future__ import annotations

import atexit
import logging
import threading
import time

import pytest

from tests.stage import note, notes, until
from understudy import MainLoopError, Process, Status


class Lingering(Process):
    """Leaves threads or exit handlers that hang, then ends."""

    def __init__(self, told, what, end="finish"):
        self.told, self.what, self.end = told, what, end
        self.config.num_loops = 1
        self.config.timeouts.exit = 0.5
        self.config.restart.backoff.base = 0

    def __loop__(self):
        if self.incarnation == 1:
            match self.what:
                case "thread":
                    threading.Thread(target=time.sleep, args=(600,), name="straggler").start()
                case "threads":
                    for number in range(3):
                        threading.Thread(target=time.sleep, args=(600,), name=f"straggler-{number}").start()
                case "atexit":
                    atexit.register(time.sleep, 600)
                case "daemon":
                    threading.Thread(target=time.sleep, args=(600,), name="straggler", daemon=True).start()
                case "brief":
                    threading.Thread(target=self.finish_late, name="late").start()
            atexit.register(note, self.told, "atexit")
            if self.end == "raise":
                raise RuntimeError("no luck")

    def finish_late(self):
        time.sleep(0.2)
        note(self.told, "late")

    def __result__(self):
        return self.incarnation


@pytest.fixture
def told(tmp_path):
    return tmp_path / "told"


@pytest.mark.fault("F25")
def test_what_hangs_at_the_end_is_given_its_grace_and_killed_and_the_result_counts(system, told, host):
    for ref in [system.spawn(Lingering, told, what, host=host) for what in ("thread", "threads", "atexit")]:
        assert (ref.result(20), ref.wait(0)) == (1, Status.FINISHED)
        (life,) = ref.history()
        assert life.signal == "SIGKILL"
        assert life.ended_at - life.started_at > 0.45


@pytest.mark.fault("F25")
@pytest.mark.parametrize(
    ("what", "names"), [("thread", ["straggler"]), ("threads", [f"straggler-{n}" for n in range(3)])]
)
def test_threads_that_linger_are_named_in_the_log(system, told, what, names, caplog):
    with caplog.at_level(logging.WARNING, "understudy"):
        system.spawn(Lingering, told, what, name="l").result(20)
        until(lambda: "straggler" in caplog.text, 20, "the warning")
    (record,) = [record for record in caplog.records if "straggler" in record.getMessage()]
    assert all(name in record.getMessage() for name in names)
    assert record.name == "understudy.actor.l"


@pytest.mark.fault("F25")
@pytest.mark.parametrize("what", ["thread", "atexit"])
def test_a_crash_that_lingers_is_told_as_that_crash(system, told, what):
    ref = system.spawn(Lingering, told, what, "raise")
    with pytest.raises(MainLoopError, match="no luck"):
        ref.result(20)


@pytest.mark.fault("F25")
def test_a_life_that_lingers_is_followed_by_the_next(system, told):
    ref = system.spawn(Lingering, told, "thread", "raise", config={"lives": 2})
    assert ref.result(20) == 2
    assert ref.history()[0].signal == "SIGKILL"


@pytest.mark.fault("F25")
def test_daemon_threads_are_not_waited_for(system, told):
    ref = system.spawn(Lingering, told, "daemon", config={"timeouts.exit": 600})
    assert (ref.result(20), ref.history()[0].exit_code) == (1, 0)


@pytest.mark.fault("F25")
def test_threads_that_end_within_the_grace_are_waited_for_and_exit_handlers_run(system, told, host):
    ref = system.spawn(Lingering, told, "brief", host=host, config={"timeouts.exit": 600})
    assert (ref.result(20), ref.history()[0].exit_code) == (1, 0)
    assert notes(told) == ["late", "atexit"]
