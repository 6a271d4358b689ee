"""Answers over HTTP: of servers that are not ready, hang, talk nonsense, or never come to an end."""

from __future__ import annotations

import contextlib
import socket
import threading

import pytest

from tests.waits.programs import Aside, follow, free_port, look_once
from understudy import Http, wait_until
from understudy.services.waits import web
from understudy.waiting import NotYet

pytestmark = pytest.mark.requirement("S3")


class Server:
    """Answers each connection with the next of these bytes, the last for ever; None: not at all."""

    def __init__(self, *answers: bytes | None) -> None:
        self._answers = list(answers)
        self.requests: list[bytes] = []
        self.held: list[socket.socket] = []
        self._server = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._server.getsockname()[1]}"
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def _serve(self) -> None:
        while True:
            client = self._server.accept()[0]
            asked = client.recv(65536)
            if asked == b"enough":
                client.close()
                return
            self.requests.append(asked)
            answer = self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]
            if answer is None:
                self.held.append(client)
                continue
            with contextlib.suppress(OSError):
                client.sendall(answer)
            client.close()

    def close(self) -> None:
        """End its thread, by a connection."""
        with socket.create_connection(self._server.getsockname()) as last:
            last.sendall(b"enough")
            self._thread.join()
        self._server.close()
        for client in self.held:
            client.close()


@pytest.fixture
def serve():
    with contextlib.ExitStack() as stack:

        def make(*answers):
            made = Server(*answers)
            stack.callback(made.close)
            return made

        yield make


def answer(status: str, body: bytes = b"") -> bytes:
    return f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body


OK = answer("200 OK", b"well")


def test_a_server_that_answers_500_first_is_asked_until_it_answers_200(serve):
    server = serve(answer("500 Oops"), answer("503 Not yet"), OK)
    assert wait_until(Http(f"{server.url}/health?deep=1")) == "answered with status 200 OK"
    assert len(server.requests) == 3
    assert server.requests[0].startswith(b"GET /health?deep=1 HTTP/1.1\r\n")


def test_the_status_that_was_seen_last_is_told():
    assert follow(Http(f"http://127.0.0.1:{free_port()}/"), lambda answer: answer.cause).seen == "Connection refused"


def test_a_status_that_is_not_the_wanted_one_is_told(serve):
    server = serve(answer("404 Not Found"))
    assert follow(Http(server.url), lambda answer: "404" in answer.seen).seen == "answered with status 404 Not Found"


@pytest.mark.parametrize(
    ("said", "status"),
    [
        pytest.param(answer("204 No Content"), 204, id="the very one"),
        pytest.param(answer("302 Found\r\nLocation: http://127.0.0.1:1/"), range(200, 400), id="a redirect"),
        pytest.param(answer("404 Not Found"), range(400, 500), id="one of a range"),
        pytest.param(b"HTTP/1.0 200 OK\r\n\r\n", 200, id="of 1.0, without a length"),
        pytest.param(answer("100 Continue") + OK, 200, id="after a provisional one"),
        pytest.param(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf", 200, id="with a body that is cut off"),
        pytest.param(
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nno chunk", 200, id="with a body of nonsense"
        ),
        pytest.param(answer("200 OK", b"x" * 10_000_000), 200, id="with a body that is too long"),
    ],
)
def test_an_answer_with_that_status_holds(serve, said, status):
    server = serve(said)
    assert wait_until(Http(server.url, status=status)).startswith("answered with status ")
    assert len(server.requests) == 1


def test_a_status_beside_the_wanted_one_does_not_hold(serve):
    server = serve(answer("201 Created"), answer("302 Found"), answer("200 OK"))
    assert wait_until(Http(server.url, status=200)) == "answered with status 200 OK"


@pytest.mark.parametrize(
    "nonsense",
    [
        b"SSH-2.0-OpenSSH_9.6\r\n",
        b"HTTP/1.1 two hundred\r\n\r\n",
        b"\x16\x03\x01",
        b"",
        b"HTTP/1.1 200 OK\r\n" + b"X-Long: " + b"x" * 100_000 + b"\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 1000 + b"\r\n",
    ],
    ids=["another protocol", "no number", "bytes", "nothing", "a long header", "many headers"],
)
def test_what_is_no_http_is_told_and_asked_again(serve, nonsense):
    server = serve(nonsense, nonsense, OK)
    assert wait_until(Http(server.url)) == "answered with status 200 OK"
    assert len(server.requests) == 3


@pytest.mark.parametrize(
    "said",
    [None, b"HTTP/1.1 100 Continue\r\n\r\n"],
    ids=["says nothing", "says to go on"],
)
def test_a_server_that_hangs_is_asked_anew_and_one_request_after_the_other(serve, monkeypatch, said):
    monkeypatch.setattr(web, "ATTEMPT", 0.3)
    server = serve(None, said, OK)
    assert wait_until(Http(server.url)) == "answered with status 200 OK"
    assert len(server.requests) == 3


def test_a_request_that_hangs_is_told_with_what_was_seen_before(serve):
    server = serve(answer("500 Oops"), None)
    last = follow(Http(server.url), lambda answer: answer.seen.startswith("no answer") and "500" in answer.seen)
    assert last.seen == "no answer for 0 s; before: answered with status 500 Oops"


def test_a_body_that_never_ends_does_not_keep_the_answer(serve, monkeypatch):
    monkeypatch.setattr(web, "_PATIENCE", 0.2)
    never = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as server:

        def dribble():
            client = server.accept()[0]
            with client, contextlib.suppress(OSError):
                client.recv(65536)
                client.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
                while not never.wait(0.02):
                    client.sendall(b"x")

        dribbles = Aside(dribble)
        assert wait_until(Http(f"http://127.0.0.1:{server.getsockname()[1]}")) == "answered with status 200 OK"
        assert dribbles.outcome() is None, "the connection was closed at this end"


def test_a_head_that_never_ends_is_given_up(monkeypatch):
    monkeypatch.setattr(web, "ATTEMPT", 0.3)
    never = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as server:

        def dribble():
            client = server.accept()[0]
            with client, contextlib.suppress(OSError):
                client.recv(65536)
                client.sendall(b"HTTP/1.1 200 OK\r\nX-Long: ")
                while not never.wait(0.02):
                    client.sendall(b"x")
            client = server.accept()[0]
            with client:
                client.recv(65536)
                client.sendall(OK)

        dribbles = Aside(dribble)
        assert wait_until(Http(f"http://127.0.0.1:{server.getsockname()[1]}")) == "answered with status 200 OK"
        assert dribbles.outcome() is None, "the first connection was closed at this end"


def test_a_look_returns_at_once_while_the_server_does_not_answer(serve):
    said = look_once(Http(serve(None).url))
    assert isinstance(said, NotYet)
    assert said.readable
    assert said.within == web.ATTEMPT
