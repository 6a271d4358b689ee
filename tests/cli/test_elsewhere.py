"""`--connect` and `--key`: every verb on a running system reaches one elsewhere, and knows that it is not here."""

from __future__ import annotations

import queue
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tests.stage import running
from understudy import ActorSystem, Process
from understudy.cli import choosing, completion, logs
from understudy.cli.board import Wish
from understudy.cli.choosing import chosen
from understudy.cli.exits import DENIED, DONE, FAILED, LATE, NO_SYSTEM, REFUSED, Failure
from understudy.cli.hands import Eyes, Hands, Pages, Picture, Said
from understudy.cli.where import Where
from understudy.errors import AccessDenied, SystemClosed, WaitTimeout
from understudy.observe import observer as observing
from understudy.observe.observer import Observer
from understudy.observe.remote import Remote
from understudy.wire.keyring import Keyring

FAR = "tcp://far.example:7700"


class Patient(Process):
    def __init__(self):
        self.config.lives = 5

    def __loop__(self):
        self.sleep(600)


class Gate:
    """What stands for the network: a system of this machine, reached only by who shows endpoint and key."""

    def __init__(self, system: ActorSystem, monkeypatch) -> None:
        self.came: list[tuple[str, str, str]] = []
        self.answers: dict[str, Any] = {}
        gate = self

        class Far(Remote):
            def __init__(self, endpoint: str, *, key: str, timeout: float | None) -> None:
                gate.came.append(("remote", endpoint, key))
                super().__init__(system.endpoint, timeout=timeout)
                ask = self._client.ask

                def answer(verb: str, **fields: Any) -> Any:
                    planned = gate.answers.get(verb)
                    if isinstance(planned, list):
                        planned = planned.pop(0) if planned else None
                    if planned is not None:
                        raise planned
                    return ask(verb, **fields)

                monkeypatch.setattr(self._client, "ask", answer)

        class FarObserver(Observer):
            def __init__(self, endpoint: str, *, key: str, **options: Any) -> None:
                gate.came.append(("observer", endpoint, key))
                super().__init__(system.endpoint, **options)

        monkeypatch.setattr(choosing, "Remote", Far)
        monkeypatch.setattr(observing, "Observer", FarObserver)


@pytest.fixture(autouse=True)
def bare(monkeypatch):
    """No choice from outside."""
    monkeypatch.delenv("UNDERSTUDY_CONNECT", raising=False)
    monkeypatch.delenv("UNDERSTUDY_KEY", raising=False)


@pytest.fixture
def keys(tmp_path: Path) -> dict[str, str]:
    """The file of a key of each role."""
    ring = Keyring(tmp_path / "keys")
    for role in ("observer", "controller"):
        ring.new(f"an-{role}", role)
    return {role: str(ring.key_path(f"an-{role}")) for role in ("observer", "controller")}


@pytest.fixture
def gate(theatre, monkeypatch) -> Gate:
    return Gate(theatre, monkeypatch)


def test_every_verb_on_a_running_system_reaches_it(say, theatre, gate: Gate, keys, monkeypatch):
    ref = theatre.spawn(Patient, name="lead")
    running(ref)
    file = keys["controller"]
    behind = ("--connect", FAR, f"--key={file}")
    for words in [
        ("ps",),
        ("info", "lead"),
        ("pause", "lead"),
        ("resume", "lead"),
        ("configure", "lead", "timeouts.loop=900"),
        ("logs", "lead"),
        ("dump", "lead"),
        ("watch", "lead", "--until", "RUNNING"),
        ("restart", "lead", "--wait", "--timeout", "60"),
        ("stop", "lead", "--wait", "--timeout", "60"),
        ("restart", "lead"),
        ("kill", "lead"),
    ]:
        gate.came.clear()
        done = say(*words, *behind)
        assert done.code == DONE, (words, done)
        assert {(endpoint, key) for _, endpoint, key in gate.came} == {(FAR, file)}, words
    gate.came.clear()
    assert say(f"--connect={FAR}", "--key", file, "ps", "--all", "--json").json[0]["name"] == "lead"
    monkeypatch.setenv("UNDERSTUDY_CONNECT", FAR)
    assert say("--key", file, "ps").code == DONE
    monkeypatch.setenv("UNDERSTUDY_KEY", file)
    assert say("ps").code == DONE
    assert gate.came == [("remote", FAR, file)] * 3
    assert say("shutdown", "--wait", "--timeout", "60").code == DONE
    assert [kind for kind, _, _ in gate.came[3:]] == ["remote", "observer"]


def test_top_looks_and_acts_there(theatre, gate: Gate, keys):
    ref = theatre.spawn(Patient, name="lead")
    running(ref)
    place = chosen(Where(connect=FAR, key=keys["controller"]))
    told: queue.SimpleQueue[Any] = queue.SimpleQueue()
    eyes, hands = Eyes(place, told.put), Hands(place, told.put)
    try:
        hands.take(Wish("info", "lead"))
        seen: dict[type, Any] = {}
        while not {Picture, Pages} <= set(seen):
            news = told.get(timeout=30)
            seen[type(news)] = news
        assert "lead" in seen[Picture].actors
        assert any("stacks" in piece for line in seen[Pages].lines for piece, _ in line)
        gate.answers = dict.fromkeys(("story", "stacks", "kill"), AccessDenied("an observer may not ask that"))
        hands.take(Wish("info", "lead"))
        hands.take(Wish("kill", "lead"))
        while not isinstance(news := told.get(timeout=30), Pages):
            assert not isinstance(news, Said), news
        assert not any("stacks" in piece for line in news.lines for piece, _ in line)
        while not isinstance(news := told.get(timeout=30), Said):
            pass
        assert "an observer may not ask that" in news.text
    finally:
        eyes.close()
        hands.close()
    assert {(endpoint, key) for _, endpoint, key in gate.came} == {(FAR, keys["controller"])}


def test_who_is_denied_something_learns_what_the_system_says_of_it_and_no_more(say, gate: Gate, keys):
    gate.answers = {"stop": AccessDenied("stop is not for an observer"), "ps": AccessDenied("the key was revoked")}
    done = say("stop", "*", "--connect", FAR, "--key", keys["observer"])
    assert (done.code, done.out) == (DENIED, "")
    assert done.err == "understudy stop: stop is not for an observer\n"
    for role in ("observer", "controller"):
        done = say("ps", "--connect", FAR, "--key", keys[role])
        assert (done.code, done.err) == (DENIED, "understudy ps: the key was revoked\n")


@pytest.mark.parametrize("role", ["observer", "controller"])
def test_an_observer_is_told_about_an_actor_what_it_may_know(say, theatre, gate: Gate, keys, role: str):
    ref = theatre.spawn(Patient, name="lead")
    running(ref)
    denied = [AccessDenied("story is not for an observer here")] * 2
    gate.answers = {"story": denied}
    words = ("info", "lead", "--connect", FAR, "--key", keys[role])
    done = say(*words)
    assert (done.code, done.err) == (DONE, "")
    assert "lead" in done.out
    row = say(*words, "--json").json
    assert (row["name"], row["story"]) == ("lead", None)
    assert len(denied) == {"observer": 2, "controller": 0}[role], "who knows that it is an observer does not even ask"


@pytest.mark.parametrize(
    ("error", "code", "part"),
    [
        (SystemClosed("it said bye"), NO_SYSTEM, f"{FAR} has ended meanwhile (it said bye)"),
        (WaitTimeout("no answer within 10 s"), LATE, "no answer within 10 s"),
        (ConnectionError("no route to host"), FAILED, "no route to host"),
    ],
)
def test_whether_a_system_elsewhere_has_ended_is_known_by_its_own_word(
    say, gate: Gate, keys, error: Exception, code: int, part: str
):
    gate.answers = {"ps": error}
    done = say("ps", "--connect", FAR, "--key", keys["observer"])
    assert (done.code, done.out) == (code, "")
    assert part in done.err
    assert done.err.count("\n") == 1


def test_logs_that_are_followed_tell_of_a_silence_go_on_over_it_and_end_with_the_system(
    say, gate: Gate, keys, monkeypatch
):
    monkeypatch.setattr(logs, "_LOOK", 0.01)
    silent = WaitTimeout("silent")
    answers = [None, None, silent, silent, None, None, silent, None, SystemClosed("bye")]
    gate.answers = {"logs": answers}
    done = say("logs", "-f", "--connect", FAR, "--key", keys["controller"])
    assert done.code == DONE
    once = [
        f"understudy logs: {FAR} does not answer; it is waited for",
        f"understudy logs: {FAR} answers again",
    ]
    assert [line for line in done.err.splitlines() if FAR in line] == [*once, *once]
    assert answers == []


def test_names_of_actors_elsewhere_are_offered(theatre, gate: Gate, keys):
    running(theatre.spawn(Patient, name="lead"))

    context: Any = SimpleNamespace(params={"system": None, "connect": FAR, "key": keys["observer"]})
    assert completion.actors(context, "le") == ["lead"]
    context.params["key"] = "nothing"
    assert completion.actors(context, "le") == []
    assert gate.came == [("observer", FAR, keys["observer"])]


@pytest.mark.parametrize("words", [("ps",), ("stop", "x"), ("top",), ("shutdown",), ("watch",)])
def test_without_a_key_nobody_is_asked_and_the_verb_that_makes_one_is_named(say, apart, words, monkeypatch):
    monkeypatch.setattr("os.isatty", lambda _: True)
    monkeypatch.setenv("TERM", "xterm")
    done = say(*words, "--connect", FAR)
    assert (done.code, done.out) == (REFUSED, "")
    assert "`understudy keys new NAME --role observer`" in done.err
    assert done.err.startswith(f"understudy {words[0]}: ")
    assert done.err.count("\n") == 1


@pytest.mark.parametrize(
    ("words", "part"),
    [
        (("--system", "theatre", "ps", "--connect", FAR), "exclude each other"),
        (("--connect", FAR, "ps", "--system", "theatre"), "exclude each other"),
        (("ps", "--system", "theatre", "--connect", FAR, "--key", "x"), "exclude each other"),
        (("ps", "--key", "x"), "--key is for --connect"),
        (("ps", "--system", "theatre", "--key", "x"), "--key is for --connect"),
        (("ps", "--connect", "theatre", "--key", "x"), "tcp://HOST:PORT"),
        (("ps", "--connect", "", "--key", "x"), "tcp://HOST:PORT"),
        (("ps", "--connect", FAR, "--key", "no such file"), "cannot be read"),
        (
            ("--connect", FAR, "--key", "x", "run", "y:Z"),
            "--connect is for verbs on a running system; run is about none",
        ),
        (("--connect", FAR, "systems"), "--connect is for verbs on a running system"),
        (("--key", "x", "systems"), "--key is for verbs on a running system"),
    ],
)
def test_words_that_contradict_each_other_are_refused_in_one_line(say, apart, words: tuple[str, ...], part: str):
    done = say(*words)
    assert (done.code, done.out) == (REFUSED, ""), done
    assert part in done.err
    assert done.err.count("\n") == 1


@pytest.mark.fault("F56")
def test_a_key_that_others_can_read_is_not_used(say, apart, keys):
    Path(keys["observer"]).chmod(0o644)
    done = say("ps", "--connect", FAR, "--key", keys["observer"])
    assert (done.code, done.out) == (DENIED, "")
    assert "chmod 600" in done.err
    assert done.err.count("\n") == 1


def test_a_system_that_is_named_here_is_meant_whatever_the_environment_says(say, theatre, monkeypatch):
    monkeypatch.setenv("UNDERSTUDY_CONNECT", FAR)
    assert say("ps", "--system", "theatre").out == "(no actors)\n"
    assert say("ps").code == REFUSED
    monkeypatch.setenv("UNDERSTUDY_CONNECT", "")
    assert say("ps").out == "(no actors)\n"
    monkeypatch.setenv("UNDERSTUDY_KEY", "whatever")
    assert say("ps").out == "(no actors)\n"


def test_a_place_here_needs_no_key_and_its_end_is_seen(theatre):
    place = chosen(Where())
    assert (place.name, place.endpoint, place.key) == ("theatre", theatre.endpoint, None)
    with place.remote(timeout=30) as far, place.observer(timeout=30) as observer:
        assert far.hello()["name"] == "theatre"
        assert list(observer.snapshot()) == []
    assert not place.has_ended(SystemClosed("so it seems"))
    theatre.shutdown(force=True)
    assert place.has_ended(WaitTimeout("no answer"))
    with pytest.raises(Failure, match="no system"):
        chosen(Where())
