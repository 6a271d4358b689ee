"""Ports and Unix sockets, of programs of our own and of strangers."""

from __future__ import annotations

import os
import select
import socket
import threading
from pathlib import Path

import pytest

from tests.waits.programs import (
    LISTENS,
    LISTENS_AT_A_PATH,
    Aside,
    Begun,
    Program,
    follow,
    free_port,
    look_once,
    running,
)
from understudy import All, HeldByStranger, Http, Port, UnixSocket, Wait, WaitTimeout, wait_until
from understudy.services.waits import owners, port
from understudy.waiting import NOBODY, Holds, NotYet, Waiting

pytestmark = pytest.mark.requirement("S3")


def has_ipv6():
    try:
        free_port(socket.AF_INET6, "::1")
    except OSError:
        return False
    return True


v6 = pytest.mark.skipif(not has_ipv6(), reason="no IPv6 here")


@pytest.mark.parametrize(
    ("family", "bound", "asked"),
    [
        pytest.param(socket.AF_INET, "127.0.0.1", "localhost", id="IPv4"),
        pytest.param(socket.AF_INET, "0.0.0.0", "127.0.0.1", id="any IPv4"),  # noqa: S104 - it is what is asked
        pytest.param(socket.AF_INET6, "::1", "localhost", id="IPv6", marks=v6),
        pytest.param(socket.AF_INET6, "::", "::1", id="any IPv6", marks=v6),
        pytest.param(socket.AF_INET6, "::", "127.0.0.1", id="IPv4 at a socket of IPv6", marks=v6),
    ],
)
def test_a_port_holds_once_the_program_listens_in_whatever_family(family, bound, asked):
    with running(LISTENS, int(family), bound, 0) as (program, subject):
        _, number = program.says()
        wait = Begun(Port(int(number), asked))
        waits = Aside(lambda: wait_until(wait, subject))
        assert wait.begun.wait(50)
        program.tell()
        assert "connected to" in waits.outcome()


def test_a_port_at_which_nobody_listens_is_told_with_both_addresses():
    number = free_port()
    answer = look_once(Port(number))
    assert isinstance(answer, NotYet)
    assert f"127.0.0.1:{number}" in answer.seen
    assert f"[::1]:{number}" in answer.seen
    told = f"Port({number}, host='127.0.0.1', timeout=0.01) did not hold within 0.01 s; "
    with pytest.raises(WaitTimeout) as caught:
        wait_until(Port(number, host="127.0.0.1", timeout=0.01))
    assert str(caught.value) == f"{told}seen last: connection refused at 127.0.0.1:{number}"


def fill(where) -> list[socket.socket]:
    """Connections to a server that takes none, as many as come about."""
    crowd: list[socket.socket] = []
    while True:
        one = socket.socket()
        one.settimeout(0)
        one.connect_ex(where)
        poller = select.poll()
        poller.register(one, select.POLLOUT)
        if not poller.poll(1000):
            one.close()
            return crowd
        crowd.append(one)


def own_end(answer):
    """The port at this end of the one connection that is under way."""
    with socket.socket(fileno=os.dup(answer.writable[0])) as sock:
        return sock.getsockname()[1]


def test_a_backlog_that_is_full_is_waited_for_until_it_has_room():
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen(0)
        where = server.getsockname()
        wait = Port(where[1])
        crowd = fill(where)
        waiting = Waiting(wait, NOBODY, None, 0.0)
        try:
            answer = waiting.look(0.0)
            assert isinstance(answer, NotYet)
            assert f"no answer yet at 127.0.0.1:{where[1]}" in answer.seen
            first = own_end(answer)
            assert own_end(waiting.look(port.RENEW - 0.1)) == first, "the connection under way is kept"
            assert own_end(waiting.look(port.RENEW)) != first, "it is begun anew after a while"
        finally:
            waiting.close()
        begun = Begun(wait)
        waits = Aside(lambda: wait_until(begun))
        assert begun.begun.wait(50)
        for one in crowd:
            one.close()
            server.accept()[0].close()
        assert "connected to" in waits.outcome()


def test_a_socket_that_has_met_itself_is_no_server():
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        sock.connect(sock.getsockname())
        assert port.has_met_itself(sock)


def test_who_has_met_himself_is_told_that_nobody_listens(monkeypatch):
    monkeypatch.setattr(port, "has_met_itself", lambda _: True)
    with socket.create_server(("127.0.0.1", 0)) as server:
        number = server.getsockname()[1]
        answer = look_once(Port(number, "127.0.0.1"))
        assert isinstance(answer, NotYet)
        assert answer.seen == f"connection refused at 127.0.0.1:{number}"
        http = Http(f"http://127.0.0.1:{number}/")
        assert follow(http, lambda answer: answer.cause).seen == "Connection refused"


def test_a_name_is_looked_up_aside_and_again_until_it_is_known(monkeypatch):
    real = socket.getaddrinfo
    asked, may = [], threading.Event()

    def slowly(host, *args, **kwargs):
        asked.append(host)
        may.wait(50)
        if len(asked) < 3:
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        return real("127.0.0.1", *args, **kwargs)

    monkeypatch.setattr(socket, "getaddrinfo", slowly)
    with running(LISTENS, int(socket.AF_INET), "127.0.0.1", 0) as (program, subject):
        _, number = program.says()
        program.tell()
        wait = Begun(Port(int(number), "db.example"))
        waits = Aside(lambda: wait_until(wait, subject))
        assert wait.begun.wait(50), "a look returns while the resolver does not"
        may.set()
        assert waits.outcome() == f"connected to 127.0.0.1:{number}"
    assert asked == ["db.example"] * 3


@pytest.mark.fault("F60")
@pytest.mark.parametrize("kind", ["Port", "Http", "All"])
def test_a_port_that_a_stranger_holds_is_told_at_once_with_his_number_and_name(kind):
    serves = """
import socket, sys
s = socket.create_server(("127.0.0.1", 0))
print(s.getsockname()[1], flush=True)
while True:
    c = s.accept()[0]
    if c.recv(1000):
        c.sendall(b"HTTP/1.0 200 OK\\r\\n\\r\\n")
    c.close()
"""
    stranger = Program(serves)
    try:
        number = int(stranger.says()[0])
        waits: dict[str, Wait] = {
            "Port": Port(number, timeout=1000),
            "Http": Http(f"http://localhost:{number}/", timeout=1000),
            "All": All(Port(number, timeout=1000)),
        }
        wait = waits[kind]
        with running() as (_, subject), pytest.raises(HeldByStranger) as caught:
            wait_until(wait, subject)
        assert caught.value.pid == stranger.pid
        assert caught.value.process.startswith("python")
        assert f"held by process {stranger.pid} (python" in str(caught.value)
        assert "none of web's" in str(caught.value)
        assert wait_until(wait), "for nobody's port nobody is a stranger"
    finally:
        stranger.bury()


@pytest.mark.fault("F60")
def test_a_socket_of_this_very_program_is_a_strangers_too_and_one_that_it_handed_down_is_not():
    with socket.create_server(("127.0.0.1", 0)) as server:
        number = server.getsockname()[1]
        with running() as (_, subject), pytest.raises(HeldByStranger, match="this program itself"):
            wait_until(Port(number, "127.0.0.1", timeout=1000), subject)
        with running("input()", pass_fds=[server.fileno()]) as (_, subject):
            assert wait_until(Port(number, "127.0.0.1"), subject) == f"connected to 127.0.0.1:{number}"


def test_what_a_grandchild_of_the_program_listens_to_is_its_own():
    parent = f"import subprocess, sys; subprocess.run([sys.executable, '-S', '-c', {LISTENS!r}, *sys.argv[1:]])"
    with running(parent, int(socket.AF_INET), "127.0.0.1", 0) as (program, subject):
        _, number = program.says()
        program.tell()
        assert wait_until(Port(int(number)), subject) == f"connected to 127.0.0.1:{number}"


def bound_in_both(host: str, host6: str) -> socket.socket:
    """A socket of IPv4 at a port that is free in the other family too."""
    while True:
        mine = socket.create_server((host, 0))
        with socket.socket(socket.AF_INET6) as other:
            other.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            try:
                other.bind((host6, mine.getsockname()[1]))
            except OSError:
                mine.close()
                continue
        return mine


@v6
def test_a_stranger_in_one_family_does_not_hide_our_own_in_the_other():
    with bound_in_both("127.0.0.1", "::1") as stranger:
        number = stranger.getsockname()[1]
        with running(LISTENS, int(socket.AF_INET6), "::1", number, "only") as (program, subject):
            program.says()
            program.tell()
            program.says()
            assert wait_until(Port(number), subject) == f"connected to [::1]:{number}"


@v6
def test_of_two_families_at_any_address_the_right_holder_is_told():
    with bound_in_both("0.0.0.0", "::") as stranger:  # noqa: S104 - it is what is asked
        number = stranger.getsockname()[1]
        with running(LISTENS, int(socket.AF_INET6), "::", number, "only") as (program, subject):
            program.says()
            program.tell()
            program.says()
            with pytest.raises(HeldByStranger, match="this program itself"):
                wait_until(Port(number, "127.0.0.1", timeout=1000), subject)
            assert wait_until(Port(number, "::1"), subject) == f"connected to [::1]:{number}"


@pytest.mark.fault("F60")
def test_where_it_cannot_be_known_who_listens_the_wait_holds_and_says_so(monkeypatch):
    monkeypatch.setattr(owners, "_holds", lambda *_: None)  # as of processes of another user
    with socket.create_server(("127.0.0.1", 0)) as server, running() as (program, subject):
        wait = Port(server.getsockname()[1], "127.0.0.1")
        seen = wait_until(wait, subject)
        assert seen.endswith(f"who holds it cannot be known, for process {program.pid} may not be looked into")


@pytest.mark.parametrize("kind", ["SOCK_STREAM", "SOCK_SEQPACKET", "SOCK_DGRAM"])
@pytest.mark.parametrize("place", ["a path", "a relative path", "an abstract name"])
def test_a_unix_socket_holds_once_the_program_is_bound_to_it(tmp_path, monkeypatch, private_places, kind, place):
    path = {
        "a path": str(private_places / f"{os.getpid()}-{kind}"),
        "a relative path": f"{kind}.sock",
        "an abstract name": f"\0understudy-{os.getpid()}-{kind}",
    }[place]
    monkeypatch.chdir(tmp_path)
    wait = Begun(UnixSocket(path))
    with running("input();" + LISTENS_AT_A_PATH, kind, path.replace("\0", "@")) as (program, subject):
        waits = Aside(lambda: wait_until(wait, subject))
        assert wait.begun.wait(50)
        program.tell()
        assert waits.outcome() == f"connected to {path.replace(chr(0), '@')}"
        Path(path.replace("\0", "@")).unlink(missing_ok=True)


def test_a_unix_socket_that_was_left_behind_is_waited_past(private_places):
    path = str(private_places / "left")
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(path)
    answer = look_once(UnixSocket(path))
    assert isinstance(answer, NotYet)
    assert answer.seen == f"{path}: Connection refused"
    Path(path).unlink()
    assert look_once(UnixSocket(path)).seen == f"{path}: No such file or directory"


def test_a_unix_socket_whose_backlog_is_full_is_waited_for(private_places):
    path = str(private_places / "full")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(path)
        server.listen(0)
        assert isinstance(look_once(UnixSocket(path)), Holds)
        assert look_once(UnixSocket(path)).seen == f"{path}: it takes no more connections"
        server.accept()[0].close()
        assert isinstance(look_once(UnixSocket(path)), Holds)
    Path(path).unlink()


@pytest.mark.fault("F60")
@pytest.mark.parametrize("kind", ["SOCK_STREAM", "SOCK_DGRAM"])
def test_a_unix_socket_that_a_stranger_holds_is_told_at_once(private_places, kind):
    path = str(private_places / f"his-{kind}")
    with running(LISTENS_AT_A_PATH, kind, path) as (stranger, _), running() as (_, subject):
        stranger.says()
        with pytest.raises(HeldByStranger, match=f"the socket {path} is held by process {stranger.pid}") as caught:
            wait_until(UnixSocket(path, timeout=1000), subject)
        assert caught.value.pid == stranger.pid
        assert wait_until(UnixSocket(path)) == f"connected to {path}"
    Path(path).unlink()
