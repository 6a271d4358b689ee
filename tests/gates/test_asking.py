"""What is asked at a gate: who may, what is told, and that a change is made once and is told in the log."""

from __future__ import annotations

import time

import msgpack
import pytest
import zmq

from tests.gates.far import Far
from tests.stage import until
from understudy import Process
from understudy.router.rates import AT_ONCE
from understudy.wire.keyring import Keyring, read_key

LOOKS = ["hello", "snapshot", "replay", "ps", "info", "healthy", "summary"]


class Failing(Process):
    def __init__(self):
        self.config.lives = 2

    def __loop__(self):
        if self.incarnation == 1:
            raise ValueError("first line\nsecond line")
        self.sleep(100)


@pytest.fixture
def sleeper(system):
    ref = system.spawn(time.sleep, 100, name="sleeper")
    ref.wait_ready(20)
    return ref


def refused(reply, reason, error):
    assert (reply["ok"], reply["reason"], reply["error"]) == (False, reason, error), reply
    return reply["text"]


def test_hello_says_who_one_is_here_and_how_to_go_on(system, far):
    (gate,) = system.gates
    local = {"system": system._world.system, "name": system.name, "endpoint": gate.endpoint}
    for name, role, stream in (("eve", "observer", gate.ports[1]), ("carl", "controller", gate.ports[2])):
        hello = far(name).value("hello")
        assert {key: hello[key] for key in ("user", "role", "stream")} == {"user": name, "role": role, "stream": stream}
        assert local.items() <= hello.items()
        assert len(hello["ticket"]) >= 32


def test_a_gate_for_observers_serves_observers_whatever_the_key(system, far, sleeper):
    endpoint = system.observe_at("tcp://127.0.0.1:*")
    gate = system.gates[1]
    assert (gate.endpoint, gate.role, len(gate.ports)) == (endpoint, "observer", 2)
    carl = far("carl", endpoint)
    hello = carl.value("hello")
    assert (hello["role"], hello["stream"], hello["endpoint"]) == ("observer", gate.ports[1], endpoint)
    refused(carl.change("kill", name="sleeper"), "denied", "AccessDenied")
    assert carl.value("ps")[0]["command"] is None
    carl.follow().until(lambda event: event["kind"] == "tick")
    assert sleeper.info().alive


def test_an_observer_looks_at_all_but_commands_settings_and_more_than_a_line_of_an_error(system, far):
    system.spawn(Failing, name="failing")
    eve, carl = far("eve"), far("carl")
    until(lambda: carl.value("healthy", name="failing") and carl.value("info", name="failing")["incarnation"] == 2)
    for verb, fields in (("info", {"name": "failing"}), ("ps", {}), ("snapshot", {})):
        whole, seen = (one.value(verb, **fields) for one in (carl, eve))
        whole, seen = ((value["actors"] if verb == "snapshot" else value) for value in (whole, seen))
        whole, seen = ((value[0] if isinstance(value, list) else value) for value in (whole, seen))
        assert list(whole) == list(seen)
        assert whole["command"].endswith("Failing")
        assert seen["command"] is None
        assert seen["config"] is None
        if verb == "info":
            assert whole["config"]["lives"] == 2
            assert [len(one["stats"]["error_events"][0]["text"].splitlines()) for one in (whole, seen)] == [2, 1]
    assert eve.value("healthy", name="failing") is True
    assert eve.value("summary")["living"] == 1
    events, all_events = (one.value("replay", since=0)["events"] for one in (eve, carl))
    assert [event["seq"] for event in events] == [event["seq"] for event in all_events]
    assert "second line" in str(all_events)
    assert "second line" not in str(events)
    assert {"log"} == {
        whole["kind"] for whole, seen in zip(all_events, events, strict=True) if seen["kind"] == "withheld"
    }


@pytest.mark.fault("F54")
def test_an_observer_may_do_nothing_else_and_each_attempt_is_in_the_log(system, far, sleeper, audit):
    from understudy.router.control import VERBS

    eve = far("eve")
    fields = {
        "name": "sleeper",
        "options": {"num_loops": 1},
    }
    others = [verb for verb in VERBS if verb not in LOOKS]
    for verb in others:
        mine = {key: value for key, value in fields.items() if key in VERBS[verb].fields}
        assert "for a controller" in refused(eve.change(verb, **mine), "denied", "AccessDenied")
    until(lambda: len(audit()) >= len(others))
    assert [(record.user, record.verb, record.outcome, record.levelname) for record in audit()] == [
        ("eve", verb, "denied", "WARNING") for verb in others
    ]
    assert sleeper.info().status == "RUNNING"


def test_a_controller_does_what_a_local_one_may_and_each_deed_is_in_the_log(system, far, sleeper, audit):
    carl = far("carl")
    for verb in ("pause", "resume", "restart", "kill"):
        assert carl.change(verb, name="sleeper", **({"grace": 5} if verb == "restart" else {}))["value"] == {
            "sleeper": "asked"
        }
    refused(carl.change("stop", name="nobody\nforged line"), "refused", "UnknownActor")
    assert carl.ask("stacks", name="sleeper")["ok"]
    assert carl.ask("logs", name="sleeper")["ok"]
    until(lambda: len(audit()) == 5)
    assert [(record.verb, record.whom, record.levelname) for record in audit()] == [
        *((verb, "'sleeper'", "INFO") for verb in ("pause", "resume", "restart", "kill")),
        ("stop", repr("nobody\nforged line"), "INFO"),
    ]
    told = [record.getMessage() for record in audit()]
    assert told[3] == "carl (controller) from 127.0.0.1: kill 'sleeper': {'sleeper': 'asked'}"
    assert "UnknownActor" in told[4]
    assert not any("\n" in text for text in told)


def test_a_system_is_shut_down_from_afar(keyring, nothing_is_left_behind):
    from understudy import ActorSystem

    with ActorSystem(control="tcp://127.0.0.1:0", keys=keyring.directory) as system:
        system.spawn(time.sleep, 100).wait_ready(20)
        carl = Far(system.gates[0].endpoint, read_key(keyring.key_path("carl")))
        stream = carl.follow()
        assert carl.change("shutdown", force=True)["ok"]
        stream.until(lambda event: event["kind"] == "bye")
        until(lambda: not system.is_open)
        carl.close()


@pytest.mark.fault("F57")
def test_a_kill_that_is_sent_again_is_refused_wherever_and_by_whomever(system, far, sleeper, audit, keyring):
    carl = far("carl", routing_id=b"here")
    body = msgpack.packb({"v": 1, "id": 1, "verb": "pause", "name": "sleeper", **carl.paid()})
    carl.send(body)
    assert carl.reply()["ok"]
    assert sleeper.resume() == "asked"
    carl.send(body)
    assert "was used" in refused(carl.reply(), "ticket", "AccessDenied")
    elsewhere = far("carl")
    elsewhere.value("hello")
    elsewhere.send(body)
    assert "not one of this connection" in refused(elsewhere.reply(), "ticket", "AccessDenied")
    keyring.new("cora", "controller")
    cora = far("cora")
    cora.send(body)
    refused(cora.reply(), "ticket", "AccessDenied")
    carl.close()
    again = far("carl", routing_id=b"here")
    again.value("hello")
    again.send(body)
    refused(again.reply(), "ticket", "AccessDenied")
    assert not sleeper.info().paused
    until(lambda: len(audit()) == 5)
    assert [record.outcome for record in audit()] == ["{'sleeper': 'asked'}", *["ticket"] * 4]


def test_a_change_needs_a_key_of_its_own_and_a_ticket(system, far, sleeper):
    carl = far("carl")
    paid = carl.paid()
    reply = carl.ask("kill", name="sleeper", ticket=paid["ticket"])
    refused(reply, "field", "ProtocolError")
    assert reply["field"] == "request"
    refused(carl.ask("kill", name="sleeper", request="k"), "ticket", "AccessDenied")
    refused(carl.ask("kill", name="sleeper", request="k", ticket=[paid["ticket"]]), "ticket", "AccessDenied")
    assert carl.ask("ps", ticket="whatever")["ok"]
    assert sleeper.info().alive
    assert carl.ask("kill", name="sleeper", **paid)["ok"]


def test_asked_again_under_its_key_with_another_number_it_is_answered_and_not_done_again(system, far, sleeper):
    first, key = far("carl"), "the-same"
    asked = {"verb": "pause", "name": "sleeper", "request": key}
    assert first.ask(**asked, ticket=first.paid()["ticket"])["value"] == {"sleeper": "asked"}
    assert sleeper.resume() == "asked"
    second = far("carl")
    assert second.ask(**asked, ticket=second.paid()["ticket"])["value"] == {"sleeper": "asked"}
    assert not sleeper.info().paused


def test_the_keys_of_requests_are_each_users_own(system, far, sleeper, keyring):
    keyring.new("cora", "controller")
    for client in (far("carl"), far("cora")):
        assert client.ask("pause", name="sleeper", request="one", ticket=client.paid()["ticket"])["ok"]
        assert sleeper.resume() == "asked"
    assert system._router._control._remembered.keys() == {
        read_key(keyring.key_path(n)).pair.public for n in ("carl", "cora")
    }


def test_too_many_requests_are_answered_with_busy_and_other_keys_are_served_meanwhile(system, far, audit):
    eve, carl = far("eve", rcvhwm=0, sndhwm=0), far("carl")
    carl.value("hello")
    count = int(AT_ONCE) * 5
    for number in range(count):
        eve.send(msgpack.packb({"v": 1, "id": number, "verb": "healthy", "name": "x"}))
    assert carl.ask("ps")["ok"]
    replies = [eve.reply() for _ in range(count)]
    busy = [reply for reply in replies if reply["reason"] == "busy"]
    assert all((reply["error"], reply["id"]) == ("NoCapacity", None) for reply in busy)
    assert len(busy) >= 100
    assert len(replies) - len(busy) >= AT_ONCE
    until(lambda: any("more requests were refused: busy to eve" in record.getMessage() for record in audit()))
    assert len(audit()) < 100
    until(lambda: eve.ask("ps")["ok"])


@pytest.mark.fault("F54")
def test_a_revoked_key_is_refused_at_the_next_request_also_where_it_is_connected(system, far, sleeper, keyring, audit):
    carl, eve = far("carl"), far("eve")
    paid = carl.paid()
    keyring.revoke("carl")
    text = refused(carl.ask("kill", name="sleeper", **paid), "denied", "AccessDenied")
    assert "revoked" in text
    refused(carl.ask("ps"), "denied", "AccessDenied")
    assert eve.ask("ps")["ok"]
    keyring.new("carl", "controller")  # another key of that name
    refused(carl.ask("ps"), "denied", "AccessDenied")
    assert far("carl").ask("ps")["ok"]
    assert sleeper.info().alive
    until(lambda: [record.role for record in audit() if record.user == "carl"] == ["revoked"] * 3)


def test_a_role_that_was_changed_holds_at_the_next_request(system, far, sleeper, keyring):
    carl = far("carl")
    assert carl.ask("stacks", name="sleeper")["ok"]
    path = keyring.directory / "clients" / "carl.pub"
    path.write_text(path.read_text().replace("controller", "observer"))
    refused(carl.ask("stacks", name="sleeper"), "denied", "AccessDenied")
    assert carl.value("hello")["role"] == "observer"


def test_where_the_keyring_can_be_changed_by_others_nobody_is_served_and_the_log_says_why(system, far, keyring, caplog):
    eve = far("eve")
    assert eve.ask("ps")["ok"]
    clients = keyring.directory / "clients"
    clients.chmod(0o777)
    (clients / "mallory.pub").write_text((clients / "eve.pub").read_text().replace("eve", "mallory"))
    refused(eve.ask("ps"), "denied", "AccessDenied")
    until(lambda: [text for text in caplog.messages if "nobody is let in" in text and "mode 0700" in text])
    (clients / "mallory.pub").write_text("no key")
    clients.chmod(0o700)
    assert eve.ask("ps")["ok"]
    until(lambda: [text for text in caplog.messages if "nobody comes in by clients/mallory.pub" in text])
    assert len([text for text in caplog.messages if "the gate tcp://" in text]) == 2


@pytest.mark.fault("F54")
@pytest.mark.parametrize(
    "case", ["a NULL client", "no such key", "the key of another system", "a key for another server"]
)
def test_who_has_no_good_key_comes_in_nowhere(system, far, keyring, tmp_path, case, audit):
    other = Keyring(tmp_path / "other")
    other.new("eve", "observer")
    key = read_key(other.key_path("eve"))
    server = read_key(keyring.key_path("eve")).server
    context, opened = zmq.Context(), []
    try:
        for port, kind in zip(system.gates[0].ports, (zmq.DEALER, zmq.SUB, zmq.SUB), strict=True):
            socket = context.socket(kind)
            socket.linger = 0
            if case != "a NULL client":
                pair = read_key(keyring.key_path("eve")).pair if case == "a key for another server" else key.pair
                socket.curve_publickey, socket.curve_secretkey = pair.public.encode(), pair.secret.encode()
                socket.curve_serverkey = (server if case == "no such key" else key.server).encode()
            monitor = socket.get_monitor_socket()
            opened += [socket, monitor]
            socket.connect(f"tcp://127.0.0.1:{port}")
            if kind == zmq.SUB:
                socket.subscribe(b"")
            else:
                socket.send_multipart([b"", msgpack.packb({"v": 1, "verb": "ps"})])
            events: set[int] = set()
            while not events & {zmq.EVENT_DISCONNECTED, zmq.EVENT_HANDSHAKE_FAILED_AUTH}:
                assert monitor.poll(20_000), events
                events.add(int.from_bytes(monitor.recv_multipart()[0][:2], "little"))
            assert zmq.EVENT_HANDSHAKE_SUCCEEDED not in events
            assert not socket.poll(0)
    finally:
        for socket in opened:
            socket.close()
        context.destroy(linger=0)
    assert far("eve").ask("ps")["ok"]
    known = case == "no such key"  # of the server; others do not get as far as to show theirs
    told = (
        "a key that is not known, from 127.0.0.1," if known else "somebody who did not prove a key in time, or at all,"
    )
    until(lambda: any(f"{told} was not let in" in record.getMessage() for record in audit()))
