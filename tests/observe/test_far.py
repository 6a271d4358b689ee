"""Clients of a system that is reached over TCP, against a scripted gate."""

from __future__ import annotations

import contextlib
import socket
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.observe.gatehouse import Gatehouse
from tests.observe.scripted import Refusal
from understudy import AccessDenied, NoCapacity, Observer, Remote, WaitTimeout
from understudy.status import Role
from understudy.wire.keyring import Keyring

pytestmark = pytest.mark.requirement("A4")


@pytest.fixture
def gate(tmp_path, nothing_is_left_behind):
    opened = Gatehouse(tmp_path / "keys")
    yield opened
    opened.close()
    assert not opened.faults


@pytest.fixture
def observer(gate):
    with Observer(gate.endpoint, key=gate.key) as made:
        gate.subscribed()
        yield made


def follow(gate, observer, *kinds):
    """Have so much happen, and give what the observer makes of it."""
    gate.publish(*(gate.score.happen(kind, "a", number) for number, kind in enumerate(kinds)))
    return [observer.next(20) for _ in kinds]


def test_an_observer_sees_a_snapshot_and_then_each_change(gate, observer):
    seen = follow(gate, observer, "state", "progress", "state")

    assert [event.seq for event in seen] == [1, 2, 3]
    assert gate.visitors.count("control") == gate.visitors.count("stream") == 1


def test_what_is_withheld_is_counted_and_not_handed_on(gate, observer):
    first, second, third = (gate.score.happen("log", "a") for _ in range(3))
    withheld = {**second, "kind": "withheld", "data": {}, "before": None, "after": None, "cause": None}
    gate.publish(first, withheld, third)

    assert [observer.next(20).seq for _ in range(2)] == [1, 3]
    assert not gate.asked("replay")


@pytest.mark.fault("F51")
def test_a_stream_that_broke_off_is_healed_by_a_replay(gate, observer):
    follow(gate, observer, "state")
    gate.break_off()
    for number in range(20):
        gate.score.happen("progress", "a", number)  # said to nobody, or to who does not listen yet
        gate.score.happen("state", "b", number)

    seen = [observer.next(20) for _ in range(21)]

    assert [event.seq for event in seen if event.kind == "state"] == list(range(3, 42, 2))
    assert seen[-1].seq == 41
    assert gate.asked("replay")


@pytest.mark.fault("F51")
def test_a_stream_that_moved_is_looked_for_again(gate, observer, monkeypatch):
    monkeypatch.setattr("understudy.observe.feed.SILENCE", 0.5)
    follow(gate, observer, "state")
    gate.topics.clear()
    gate.move()
    with ThreadPoolExecutor() as aside:
        heard = aside.submit(observer.next, 60)
        gate.subscribed()
        gate.publish(gate.score.happen("state", "a", 1))

        assert heard.result().seq == 2


def test_another_system_at_the_same_endpoint_ends_what_followed_the_first(gate, observer):
    follow(gate, observer, "state")
    gate.score = type(gate.score)()
    gate.answers["snapshot"] = lambda _: gate.score.snapshot() | {"system": "other.1"}
    gate.answers["replay"] = lambda request: gate.score.replay(request["since"]) | {"system": "other.1"}
    gate.break_off()

    assert observer.next(50) is None
    assert list(observer) == []


# --- commands


@pytest.mark.fault("F57")
def test_each_command_bears_a_ticket_with_a_number_of_its_own(gate):
    with Remote(gate.endpoint, key=gate.key) as far:
        assert [far.stop("a"), far.stop("b")] == [{"a": "asked"}, {"b": "asked"}]

    assert [one["ticket"] for one in gate.done] == [["ticket 1", 1], ["ticket 1", 2]]


def test_a_ticket_that_is_good_no_more_is_replaced_and_the_command_done_once(gate):
    with Remote(gate.endpoint, key=gate.key) as far:
        far.stop("a")
        gate.forget()
        assert far.stop("b") == {"b": "asked"}

    assert [one["ticket"] for one in gate.done] == [["ticket 1", 1], ["ticket 2", 3]]
    assert len({one["request"] for one in gate.asked("stop")[1:]}) == 1


def test_a_gate_that_refuses_every_ticket_is_not_asked_for_ever(gate):
    def refuse(_):
        raise Refusal("AccessDenied", "ticket")

    gate.answers["stop"] = refuse
    with Remote(gate.endpoint, key=gate.key) as far, pytest.raises(AccessDenied):
        far.stop("a")

    assert len(gate.asked("stop")) <= 4


def test_a_command_that_was_not_answered_is_asked_for_again_with_another_number(gate):
    gate.deaf["stop"] = 1
    with Remote(gate.endpoint, key=gate.key, timeout=60) as far:
        assert far.stop("a") == {"a": "asked"}

    first, second = gate.asked("stop")
    assert first["request"] == second["request"]
    assert first["ticket"][1] < second["ticket"][1]


def test_a_hello_that_was_not_answered_is_said_again(gate):
    gate.deaf["hello"] = 1
    with Remote(gate.endpoint, key=gate.key, timeout=60) as far:
        assert far.stop("a") == {"a": "asked"}


def test_a_busy_gate_is_asked_again_later(gate):
    answers = iter([Refusal("NoCapacity", "busy")])

    def busy_at_first(_):
        for refusal in answers:
            raise refusal
        return {"seq": 0, "system": "score.1", "actors": []}

    gate.answers["ps"] = lambda request: busy_at_first(request)["actors"]
    with Remote(gate.endpoint, key=gate.key, timeout=60) as far:
        assert list(far.ps()) == []


def test_other_errors_come_as_they_are(gate):
    def refuse(_):
        raise Refusal("NoCapacity")

    gate.answers["ps"] = refuse
    with Remote(gate.endpoint, key=gate.key) as far, pytest.raises(NoCapacity):
        far.ps()


# --- keys


@pytest.mark.fault("F54")
def test_an_unknown_key_is_refused_at_once(gate, tmp_path):
    other = Keyring(tmp_path / "others")
    other.new("mallory", Role.CONTROLLER)
    text = other.key_path("mallory").read_text().replace(other.server().public, gate.keyring.server().public)
    other.key_path("mallory").write_text(text)

    key = other.key_path("mallory")
    with Remote(gate.endpoint, key=key, timeout=60) as far, pytest.raises(AccessDenied, match="does not know it"):
        far.ps()
    with pytest.raises(AccessDenied, match="does not know it"), Observer(gate.endpoint, key=key, timeout=60):
        pytest.fail("it came in")


@pytest.mark.fault("F54")
def test_the_key_of_another_system_is_told_from_a_system_that_is_not_there(gate, tmp_path):
    other = Keyring(tmp_path / "others")
    other.new("alice", Role.CONTROLLER)

    with (
        Remote(gate.endpoint, key=other.key_path("alice"), timeout=1) as far,
        pytest.raises(WaitTimeout, match="no gate of the system that the key is for"),
    ):
        far.ps()
    with (
        Remote(f"tcp://127.0.0.1:{free_port()}", key=gate.key, timeout=0.5) as far,
        pytest.raises(WaitTimeout, match="no connection came about: the name may be unknown"),
    ):
        far.ps()


@pytest.mark.fault("F54")
def test_who_follows_is_told_when_the_key_was_revoked(gate, observer):
    follow(gate, observer, "state")
    gate.keyring.revoke("alice")
    gate.break_off()

    with pytest.raises(AccessDenied, match="revoked"):
        observer.next(50)


def test_an_observer_may_wait_for_an_end_whose_reason_it_may_not_know(gate, observer):
    def refuse(_):
        raise Refusal("AccessDenied", "denied")

    gate.answers["story"] = refuse
    follow(gate, observer, "state")
    ended = gate.score.happen("state", "a", 5)
    gate.answers["info"] = lambda _: gate.score.rows["a"].to_dict()
    gate.publish(ended)

    assert observer.wait_for("a", status="CRASHED", timeout=50).name == "a"


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port: int = found.getsockname()[1]
        return port


def test_where_nobody_proves_to_be_who_was_looked_for_one_knocks_ever_more_seldom(tmp_path, monkeypatch):
    # A stranger that takes connections and hangs up at the first word.
    monkeypatch.setattr("understudy.wire.sockets.tap._LONGEST_REST", 0.8)
    keyring = Keyring(tmp_path / "keys")
    keyring.new("alice", Role.OBSERVER)
    knocks = []
    with socket.create_server(("127.0.0.1", 0)) as stranger, ThreadPoolExecutor() as aside:

        def hang_up():
            with contextlib.suppress(OSError):  # it was closed
                while True:
                    caller, _ = stranger.accept()
                    knocks.append(time.monotonic())
                    with caller:
                        caller.settimeout(5)
                        caller.recv(64)
                        caller.sendall(b"no such thing here\r\n" * 10)

        aside.submit(hang_up)
        try:
            far = Remote(f"tcp://127.0.0.1:{stranger.getsockname()[1]}", key=keyring.key_path("alice"), timeout=4)
            with far, pytest.raises(WaitTimeout, match="no gate of the system that the key is for"):
                far.ps()
        finally:
            stranger.shutdown(socket.SHUT_RDWR)

    assert 3 <= len(knocks) <= 12  # at libzmq's own pace it would be forty
