"""Who comes in over TCP: who proves a key that is admitted, and nobody else, whatever becomes of who admits."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
import zmq
from zmq.utils.monitor import recv_monitor_message

from understudy.wire.sockets.curve import Pair, Zap, approach, new_pair, serve

PATIENCE = 20_000  # ms
REFUSED = zmq.EVENT_HANDSHAKE_FAILED_AUTH
CUT = zmq.EVENT_HANDSHAKE_FAILED_NO_DETAIL
OTHER = zmq.EVENT_HANDSHAKE_FAILED_PROTOCOL
IN = zmq.EVENT_HANDSHAKE_SUCCEEDED


class House:
    """A server behind a Zap, and its clients, each in a context of its own as in a process of its own."""

    def __init__(self) -> None:
        self.pair = new_pair()
        self.asked: list[tuple[str, str, str]] = []
        self.told: list[BaseException] = []
        self.known: dict[str, str] = {}
        self.clients: list[Any] = []
        self.admit: Callable[[str], Any] = self.known.get
        self.context, self.outside = zmq.Context(), zmq.Context()
        self.zap = Zap(self.context, "understudy-test-zap", self._admit, self.told.append)
        self.socket = self.context.socket(zmq.ROUTER)
        serve(self.socket, self.pair, "control")
        self.socket.bind("tcp://127.0.0.1:*")
        self.endpoint = str(self.socket.get_string(zmq.LAST_ENDPOINT))
        self.events = self.socket.get_monitor_socket(REFUSED | CUT | OTHER | IN)

    def _admit(self, domain: str, key: str, address: str) -> str | None:
        self.asked.append((domain, key, address))
        name: str | None = self.admit(key)
        return name

    def client(self, pair: Pair | None, server: str | None = None) -> Any:
        """One that has sent a word; without a pair to be set up by the test."""
        client = self.outside.socket(zmq.DEALER)
        self.clients.append(client)
        if pair is not None:
            approach(client, pair, server or self.pair.public)
            self.send(client)
        return client

    def send(self, client: Any) -> None:
        client.connect(self.endpoint)
        client.send(b"a word")

    def known_client(self, name: str) -> Any:
        pair = new_pair()
        self.known[pair.public] = name
        return self.client(pair)

    def next_event(self) -> int:
        assert self.events.poll(PATIENCE), "nothing happened"
        return int(recv_monitor_message(self.events)["event"])

    def heard(self) -> tuple[bytes, str]:
        """The next word, and whose it is."""
        assert self.socket.poll(PATIENCE), "no word came"
        who, word = self.socket.recv_multipart(copy=False)
        assert word.get("User-Id") == who.get("User-Id")
        return word.bytes, str(word.get("User-Id"))

    def close(self) -> None:
        self.socket.disable_monitor()
        self.events.close(0)
        for client in self.clients:
            client.close(0)
        self.outside.term()
        self.socket.close(0)
        self.zap.close()
        self.context.term()


@pytest.fixture
def house() -> Iterator[House]:
    made = House()
    yield made
    made.close()


def test_who_is_admitted_comes_in_and_each_of_its_messages_bears_its_name(house: House):
    client = house.known_client("anna")
    assert house.next_event() == IN
    assert house.heard() == (b"a word", "anna")
    client.send(b"another")
    assert house.heard() == (b"another", "anna")
    house.known_client("bert")
    assert house.heard() == (b"a word", "bert")
    assert house.asked == [("control", key, "127.0.0.1") for key in house.known]
    assert house.told == []


@pytest.mark.fault("F54")
def test_who_is_not_known_is_refused_and_the_next_one_is_served(house: House):
    house.client(stranger := new_pair())
    assert house.next_event() == REFUSED
    assert house.asked[0] == ("control", stranger.public, "127.0.0.1")
    house.known_client("anna")
    assert house.heard() == (b"a word", "anna")


def test_who_is_refused_learns_it(house: House):
    client = house.client(None)
    approach(client, new_pair(), house.pair.public)
    events = client.get_monitor_socket(zmq.EVENT_HANDSHAKE_FAILED_AUTH)
    house.send(client)
    assert events.poll(PATIENCE)
    assert recv_monitor_message(events)["value"] == 400
    client.disable_monitor()
    events.close(0)


@pytest.mark.fault("F54")
def test_who_takes_the_server_for_another_does_not_come_in(house: House):
    pair = new_pair()
    house.known[pair.public] = "anna"
    house.client(pair, server=new_pair().public)
    assert house.next_event() == OTHER
    assert house.asked == []


@pytest.mark.parametrize(
    "admit",
    [
        pytest.param(lambda _: 1 / 0, id="raises"),
        pytest.param(lambda _: 7, id="a number for a name"),
        pytest.param(lambda _: "\udc80", id="a name that is no text"),
    ],
)
def test_an_admission_that_fails_is_told_lets_nobody_in_and_the_next_one_is_served(
    house: House, admit: Callable[[str], Any]
):
    house.admit = admit
    client = house.known_client("anna")
    assert house.next_event() == REFUSED
    assert len(house.told) >= 1
    assert house.zap.lives
    client.close(0)
    house.admit = house.known.get
    house.known_client("bert")
    assert house.heard() == (b"a word", "bert")


@pytest.mark.fault("F54")
def test_when_nobody_answers_any_more_nobody_comes_in(house: House):
    inside = house.known_client("anna")
    assert house.next_event() == IN
    assert house.heard() == (b"a word", "anna")
    house.zap.close()
    assert not house.zap.lives
    house.known_client("bert")
    assert house.next_event() == CUT
    inside.send(b"still here")
    assert house.heard() == (b"still here", "anna")
    assert len(house.asked) == 1


def open_client(house: House) -> Any:
    return house.client(None)


def plain_client(house: House) -> Any:
    client = house.client(None)
    client.set(zmq.PLAIN_USERNAME, b"anna")
    client.set(zmq.PLAIN_PASSWORD, b"secret")
    return client


@pytest.mark.fault("F54")
@pytest.mark.parametrize("make", [open_client, plain_client])
def test_who_has_no_key_at_all_is_refused_before_anybody_is_asked(house: House, make: Callable[[House], Any]):
    house.send(make(house))
    assert house.next_event() in {CUT, OTHER}  # by who hangs up first
    assert house.asked == []
    house.known_client("anna")
    assert house.heard() == (b"a word", "anna")


QUESTION = [b"1.0", b"1", b"control", b"127.0.0.1", b"", b"CURVE", bytes(32)]


@pytest.mark.fault("F52")
@pytest.mark.parametrize(
    ("question", "answers"),
    [
        (QUESTION, 1),
        ([*QUESTION[:5], b"NULL"], 1),
        ([*QUESTION[:5], b"PLAIN", b"anna", b"secret"], 1),
        ([*QUESTION[:6], bytes(31)], 1),
        ([*QUESTION, b"more"], 1),
        ([*QUESTION[:2], b"\xff", *QUESTION[3:]], 1),
        ([b"1.0"], 0),
        ([b"x"] * 20, 1),
    ],
)
def test_what_is_asked_wrongly_is_refused_or_dropped(house: House, question: list[bytes], answers: int):
    asker = house.context.socket(zmq.DEALER)
    asker.connect("inproc://zeromq.zap.01")
    asker.send_multipart([b"", *question])
    asker.send_multipart([b"no delimiter"])
    asker.send_multipart([b"", *QUESTION])
    for expected in [*[question] * answers, QUESTION]:
        assert asker.poll(PATIENCE)
        _, version, number, status, _, user, _ = asker.recv_multipart()
        assert [version, number] == expected[:2]
        assert (status, user) == (b"400", b"")
    assert house.zap.lives
    asker.close(0)


def test_a_second_one_of_the_same_context_is_refused_and_the_first_goes_on(house: House):
    with pytest.raises(zmq.ZMQError):
        Zap(house.context, "understudy-test-zap", lambda *_: "x", house.told.append)
    house.known_client("anna")
    assert house.heard() == (b"a word", "anna")
