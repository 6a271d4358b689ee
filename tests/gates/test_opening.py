"""Gates are opened with keys or not at all, at the ports that were asked for, and nothing of them stays."""

from __future__ import annotations

import os
import socket
from time import monotonic

import pytest

from tests.gates.far import Far
from tests.stage import until
from understudy import AccessDenied, ActorSystem, ConfigError, SystemClosed
from understudy.observe import rundir
from understudy.router.warden import MOST, Warden
from understudy.wire.keyring import Keyring, read_key
from understudy.wire.sockets.ears import Connection


def is_open(port):
    with socket.socket() as made:
        made.settimeout(5)
        return made.connect_ex(("127.0.0.1", port)) == 0


@pytest.fixture
def plain(nothing_is_left_behind):
    with ActorSystem() as opened:
        yield opened


@pytest.fixture
def taken():
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        holder.listen()
        yield holder.getsockname()[1]


@pytest.mark.parametrize(
    "endpoint",
    [
        "ipc:///x", "inproc://x", "udp://127.0.0.1:1", "127.0.0.1:5555", "tcp://", "tcp://:1", "tcp://127.0.0.1",
        "tcp://127.0.0.1:", "tcp://127.0.0.1:http", "tcp://127.0.0.1:65536", "tcp://127.0.0.1:-1", "tcp://::1:5555",
        "tcp://[::1:5555", "tcp://[x]:5555", "tcp://a b:5555", "tcp://eth0;lo:1", "tcp://127.0.0.1:1;x:1", "", None, 1,
        "tcp://127.0.0.1:٣", "tcp://*:1/", b"tcp://*:1",
    ],
)  # fmt: skip
def test_what_is_no_endpoint_is_refused_in_words(plain, keyring, endpoint):
    for act in (plain.observe_at, plain.control_at):
        with pytest.raises(ConfigError, match=r"tcp://HOST:PORT|has no port"):
            act(endpoint, keys=keyring.directory)
    assert plain.gates == []


@pytest.mark.fault("F54")
def test_without_keys_nothing_opens_and_the_command_that_makes_them_is_told(plain, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    with pytest.raises(ConfigError, match="`understudy keys new NAME --role observer` makes one"):
        plain.observe_at("tcp://127.0.0.1:0")
    keys = tmp_path / "mine"
    with pytest.raises(ConfigError, match=f"`understudy keys new NAME --role controller --keys {keys}` makes one"):
        plain.control_at("tcp://127.0.0.1:0", keys=keys)
    ring = Keyring(keys)
    ring.new("eve", "observer")
    ring.revoke("eve")
    with pytest.raises(ConfigError, match=r"nobody has a key in .* `understudy keys new"):
        plain.observe_at("tcp://127.0.0.1:0", keys=keys)
    (keys / "clients" / "broken.pub").write_text("public = ")
    with pytest.raises(ConfigError, match=r"broken\.pub"):
        plain.observe_at("tcp://127.0.0.1:0", keys=keys)
    with pytest.raises(ConfigError, match="no path"):
        plain.observe_at("tcp://127.0.0.1:0", keys=5)
    assert plain.gates == []


@pytest.mark.fault("F54")
def test_keys_that_others_can_read_or_add_to_open_nothing(plain, keyring):
    (keyring.directory / "server.key").chmod(0o644)
    with pytest.raises(AccessDenied, match="chmod 600"):
        plain.observe_at("tcp://127.0.0.1:0", keys=keyring.directory)
    (keyring.directory / "server.key").chmod(0o600)
    (keyring.directory / "clients").chmod(0o755)
    with pytest.raises(AccessDenied, match="mode 0700"):
        plain.observe_at("tcp://127.0.0.1:0", keys=keyring.directory)
    assert plain.gates == []


def test_a_port_that_is_taken_is_told_and_the_next_one_is_had(plain, keyring, taken):
    with pytest.raises(OSError, match=rf"Address already in use: 'tcp://127\.0\.0\.1:{taken}'$"):
        plain.observe_at(f"tcp://127.0.0.1:{taken}", keys=keyring.directory)
    with pytest.raises(OSError, match=r"nowhere\.invalid"):
        plain.observe_at("tcp://nowhere.invalid:0", keys=keyring.directory)
    with pytest.raises(OSError, match=r"192\.0\.2\.1"):
        plain.observe_at("tcp://192.0.2.1:0", keys=keyring.directory)
    assert plain.gates == []
    assert plain.observe_at("tcp://127.0.0.1:0", keys=keyring.directory) == plain.gates[0].endpoint


@pytest.mark.parametrize(
    "wrong",
    [
        {"observe": "ipc://x"},
        {"control": "tcp://127.0.0.1:TAKEN"},
        {"observe": "tcp://127.0.0.1:0", "control": "tcp://127.0.0.1:TAKEN"},
        {"keys": 5},
    ],
)
def test_a_system_whose_gate_cannot_be_opened_is_not_made_and_leaves_nothing(
    keyring, taken, wrong, nothing_is_left_behind
):
    wrong = {key: value if key == "keys" else value.replace("TAKEN", str(taken)) for key, value in wrong.items()}
    with pytest.raises((ConfigError, OSError)):
        ActorSystem("doomed", **{"keys": keyring.directory, **wrong})
    with ActorSystem("doomed"):  # its name is free
        pass
    assert not [name for name in os.listdir(rundir.base()) if name.startswith("doomed")]


def test_several_gates_are_open_at_once_each_with_its_streams_right_above_it_where_these_are_free(
    keyring, nothing_is_left_behind
):
    with ActorSystem(observe="tcp://127.0.0.1:0", control="tcp://localhost:*", keys=keyring.directory) as system:
        third = system.observe_at("tcp://*:0")  # with the keys of the others
        told = system.gates
        assert [gate.role for gate in told] == ["observer", "controller", "observer"]
        assert third == told[2].endpoint
        for gate in told:
            assert all(map(is_open, gate.ports))
            assert gate.endpoint.endswith(f":{gate.ports[0]}")
            assert len(gate.ports) == (2 if gate.role == "observer" else 3)
        ports = [port for gate in told for port in gate.ports]
        assert len(set(ports)) == len(ports)
        for gate in told:
            client = Far(gate.endpoint, read_key(keyring.key_path("eve")))
            assert client.value("hello")["endpoint"] == gate.endpoint
            client.close()
    assert not any(map(is_open, ports))
    with pytest.raises(SystemClosed):
        system.observe_at("tcp://127.0.0.1:0")


@pytest.mark.skipif(not socket.has_dualstack_ipv6(), reason="this machine has no IPv6")
def test_an_address_of_ipv6_is_served_and_told_as_it_is(plain, keyring, audit):
    endpoint = plain.control_at("tcp://[::1]:0", keys=keyring.directory)
    assert endpoint == plain.gates[0].endpoint
    assert endpoint.startswith("tcp://[::1]:")
    client = Far(endpoint, read_key(keyring.key_path("eve")), ipv6=1)
    assert client.value("hello")["endpoint"] == endpoint
    assert not client.change("kill", name="x")["ok"]
    client.close()
    until(lambda: [record for record in audit() if record.address == "::1"])


def test_a_system_takes_its_port_again_right_after_another_that_had_clients(keyring, nothing_is_left_behind):
    endpoint = "tcp://127.0.0.1:0"
    for _ in range(3):
        with ActorSystem(control=endpoint, keys=keyring.directory) as system:
            endpoint = system.gates[0].endpoint
            client = Far(endpoint, read_key(keyring.key_path("carl")))
            stream = client.follow()
        stream.until(lambda event: event["kind"] == "bye")
        client.close()


def test_in_a_forked_copy_of_the_parent_nothing_is_held(system, far):
    carl = far("carl")
    assert carl.ask("ps")["ok"]
    read, write = os.pipe()
    copy = os.fork()
    if copy == 0:
        os.close(write)
        os.read(read, 1)  # until the parent lets go
        os._exit(0)
    ports = system.gates[0].ports
    try:
        os.close(read)
        assert carl.ask("ps")["ok"]
        system.shutdown(force=True)
        until(lambda: not any(map(is_open, ports)), 10, "letting go of the ports")
    finally:
        os.close(write)
        os.waitpid(copy, 0)


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_where_the_thread_that_lets_in_has_died_nobody_comes_in_and_all_else_goes_on(system, far, keyring, caplog):
    carl = far("carl")
    assert carl.ask("ps")["ok"]

    def die(_frames):
        raise SystemExit

    zap = system._router.gates._open[0].gate.zap
    zap._answer = die
    stranger = far("eve")
    stranger.send({"verb": "ps"})
    until(lambda: not zap.lives)
    until(lambda: [record for record in caplog.records if "lets nobody in any more" in record.getMessage()])
    assert not stranger.control.poll(500)
    assert carl.ask("ps")["ok"]
    assert system.spawn(str.upper, "a").result(20) == "A"
    told = [record for record in caplog.records if "lets nobody in any more" in record.getMessage()]
    assert [record.levelname for record in told] == ["ERROR"]
    caplog.clear()


def test_a_gate_that_meets_a_defect_is_shut_and_all_else_goes_on(system, far, caplog, monkeypatch):
    carl = far("carl")
    assert carl.ask("ps")["ok"]
    ports = system.gates[0].ports
    second = system.observe_at("tcp://127.0.0.1:0")

    def break_down():
        raise RuntimeError("a planted defect")

    monkeypatch.setattr(system._router.gates._open[0].gate, "requests", break_down)
    carl.send({"verb": "ps"})
    until(lambda: [gate.endpoint for gate in system.gates] == [second])
    until(lambda: not any(map(is_open, ports)))
    assert far("eve", second).ask("ps")["ok"]
    assert system.spawn(str.upper, "a").result(20) == "A"
    until(lambda: [record for record in caplog.records if "is shut; please report it" in record.getMessage()])
    (told,) = [record for record in caplog.records if "is shut; please report it" in record.getMessage()]
    assert "a planted defect" in told.exc_text
    caplog.clear()


def test_where_who_watches_the_connections_meets_a_defect_nobody_comes_in_and_who_is_inside_goes_on(
    system, far, caplog, monkeypatch
):
    carl = far("carl")
    assert carl.ask("ps")["ok"]

    def break_down(*_):
        raise RuntimeError("a planted defect")

    monkeypatch.setattr(system._router.gates._open[0].warden._entrants, "surplus", break_down)
    stranger = far("eve")
    until(lambda: [record for record in caplog.records if "lets nobody in any more" in record.getMessage()])
    stranger.close()
    second = far("eve")  # of the first nobody knows whether it was in before the defect was met
    second.send({"verb": "ps"})
    assert not second.control.poll(500)
    assert carl.ask("ps")["ok"]
    assert system.spawn(str.upper, "a").result(20) == "A"
    caplog.clear()


def test_the_watch_over_connections_cuts_off_those_at_its_ports_and_nothing_else():
    ended: list[object] = []
    for ours in (True, False):
        with socket.create_server(("127.0.0.1", 0)) as server, socket.create_connection(server.getsockname()) as there:
            here, _ = server.accept()
            port = server.getsockname()[1] if ours else 1
            warden = Warden("unused", None, frozenset({port}), ended.append, ended.append)  # type: ignore[arg-type]
            warden.cut_off(here.fileno())
            there.settimeout(0.2)
            if ours:
                assert there.recv(1) == b""
            else:
                with pytest.raises(TimeoutError):
                    there.recv(1)
            number = here.fileno()
            here.close()
            warden.cut_off(number)  # it is gone


def test_a_connection_whose_descriptor_is_another_peers_by_now_takes_that_one_not_with_it():
    with socket.create_server(("127.0.0.1", 0)) as server, socket.create_connection(server.getsockname()) as there:
        here, _ = server.accept()
        warden = Warden("unused", None, frozenset({server.getsockname()[1]}), print, print)  # type: ignore[arg-type]
        number, peer = here.fileno(), warden.peer(here.fileno())
        assert peer == there.getsockname()
        warden.cut_off(number, ("127.0.0.1", 1))
        there.settimeout(0.2)
        with pytest.raises(TimeoutError):
            there.recv(1)
        warden.cut_off(number, peer)
        assert there.recv(1) == b""
        here.close()
        assert warden.peer(number) is None


@pytest.mark.parametrize(("limit", "most"), [(1_024, 256), (1 << 20, MOST)])
def test_a_gate_has_a_share_of_the_descriptors_and_never_more_than_a_thousand_connections(monkeypatch, limit, most):
    monkeypatch.setattr("resource.getrlimit", lambda _: (limit, limit))
    warden = Warden("unused", None, frozenset(), print, print)  # type: ignore[arg-type]
    assert warden._most(monotonic()) == most


def test_a_connection_has_proved_itself_when_it_was_told_what_only_who_knows_the_system_is_told():
    warden = Warden("unused", None, frozenset(), print, print)  # type: ignore[arg-type]
    with socket.create_server(("127.0.0.1", 0)) as server, socket.create_connection(server.getsockname()) as there:
        here, _ = server.accept()
        one, long_ago = Connection(0, here.fileno()), monotonic() - 60
        there.sendall(bytes(1_000))  # whatever it says itself
        here.sendall(bytes(200))
        until(lambda: len(here.recv(2_000, socket.MSG_PEEK)) == 1_000)
        assert not warden._has_proved(one, long_ago)
        here.sendall(bytes(34))
        until(lambda: warden._has_proved(one, monotonic()))
        here.close()
    assert warden._has_proved(one, long_ago)  # where nothing tells: by its age
    assert not warden._has_proved(one, monotonic())
