"""What bad input gets: a typed error at its line that says what would be right, and all else goes on."""

from __future__ import annotations

import json
import os
import socket
import sys
import time
import warnings
from typing import Any

import pytest

from tests.stage import note, notes, until
from understudy import (
    ActorKilled,
    ActorSystem,
    ConfigError,
    NameTaken,
    NotAnActor,
    Observer,
    Process,
    Remote,
    SerializationError,
    Status,
    SystemClosed,
    UnderstudyError,
    UnknownActor,
    UnknownField,
    WaitTimeout,
    WrongProcess,
)


class Stays(Process):
    def __init__(self, **attributes):
        self.__dict__.update(attributes)

    def __loop__(self):
        self.sleep(60)

    def __result__(self):
        return "stayed"


class Fails(Stays):
    def __init__(self):
        raise LookupError("no such folder")


class HasNoLoop(Process):
    def __preloop__(self):
        pass


class Innocent:
    def __loop__(self):
        pass


def iter_nothing():
    yield from ()


class RefusesToBePacked:
    def __reduce__(self):
        raise RuntimeError("not for travelling")


class ExitsWhenPacked:
    def __reduce__(self):
        sys.exit(3)


@pytest.fixture
def bystander(system):
    """An actor that lives through it all."""
    ref = system.spawn(Stays, name="bystander")
    ref.wait_ready(20)
    yield ref
    assert ref.info().status is Status.RUNNING
    assert ref.info().incarnation == 1
    ref.stop()
    assert ref.result(20) == "stayed"


SPAWNS: list[tuple[Any, dict[str, Any], type[Exception], list[str]]] = [
    # what is spawned, with which options, the error, and what it has to say
    (Stays, {"config": {"timeouts.lop": 2}}, UnknownField, ["timeouts.lop", "did you mean 'timeouts.loop'"]),
    (Stays, {"config": {"live": 2}}, UnknownField, ["'live'", "did you mean 'lives'"]),
    (Stays, {"config": {"timeouts.loop": -2.5}}, ConfigError, ["timeouts.loop", "seconds, above 0", "-2.5"]),
    (Stays, {"config": {"join_in": float("nan")}}, ConfigError, ["join_in", "a finite number", "nan"]),
    (Stays, {"config": {"lives": True}}, ConfigError, ["lives", "a whole number, at least 1", "True"]),
    (Stays, {"config": {"restart.policy": "often"}}, ConfigError, ["restart.policy", "'on_crash', 'always', 'never'"]),
    (Stays, {"config": 5}, ConfigError, ["config=", "a dict", "int"]),
    (Stays, {"host": "moon"}, ConfigError, ["host='moon'", "process", "spawn"]),
    (time.sleep, {"timeout": -1}, ConfigError, ["timeouts.loop", "above 0", "-1"]),
    (HasNoLoop, {}, NotAnActor, ["HasNoLoop defines no __loop__"]),
    (Process, {}, NotAnActor, ["Process defines no __loop__"]),
    (Innocent, {}, NotAnActor, ["Innocent is a class but no Process", "understudy.Process"]),
    (Innocent(), {}, NotAnActor, ["Innocent object", "a Process class or instance, a function"]),
    (None, {}, NotAnActor, ["None cannot be spawned"]),
    (42, {}, NotAnActor, ["42 cannot be spawned"]),
    ("os.getcwd", {}, NotAnActor, ["'os.getcwd' is no dotted name", "package.module:Class"]),
    ("no_such_module:Worker", {}, NotAnActor, ["cannot be imported", "No module named 'no_such_module'"]),
    ("json:Worker", {}, NotAnActor, ["cannot be found", "'json' has no attribute 'Worker'"]),
    ("os:sep", {}, ConfigError, ["'os:sep' names a text"]),
    (Fails, {}, LookupError, ["no such folder"]),
    (Stays, {"loop": 1, "rows": iter_nothing()}, SerializationError, ["self.rows: builtins.generator cannot travel"]),
    (Stays, {"cfg": {"k": [RefusesToBePacked()]}}, SerializationError, ["self.cfg['k'][0]: ", "RefusesToBePacked"]),
    (Stays, {"odd": ExitsWhenPacked()}, SerializationError, ["self.odd: ", "ExitsWhenPacked cannot travel"]),
    (Stays, {"name": "bystander"}, NameTaken, ["'bystander' is the name of a living actor", "choose another"]),
]


@pytest.mark.requirement("P2")
@pytest.mark.fault("F4")
def test_a_spawn_that_cannot_be_is_refused_at_its_line_and_leaves_no_trace(system, bystander):
    for number, (target, given, kind, words) in enumerate(SPAWNS):
        options = {"name": "newcomer", **given}
        with pytest.raises(kind) as caught:
            system.spawn(target, **options)
        assert type(caught.value) is kind, (target, given)
        assert all(word in str(caught.value) for word in words), str(caught.value)
        assert str(caught.traceback[0].statement).strip() == "system.spawn(target, **options)"
        assert [info.name for info in system.ps(all=True)] == ["bystander", *["newcomer"] * number], (target, given)
        assert bystander.info().status is Status.RUNNING
        assert system.spawn(len, "four", name="newcomer").result(20) == 4


@pytest.mark.fault("F4")
def test_a_socket_in_the_state_is_refused_in_the_caller_with_its_path(system, bystander):
    refused = r"^self\.pool\['db'\]: socket\.socket cannot"
    with socket.socket() as plug, pytest.raises(SerializationError, match=refused):
        system.spawn(Stays, pool={"db": plug})


@pytest.mark.requirement("A5")
def test_a_malformed_name_is_refused_with_what_a_name_is(system, bystander):
    refused = "is not a name: segments of letters, digits, .* 128 characters in all"
    texts: list[Any] = ["", " ", "a b", "/a", "a/", "a//b", ".a", "-a", "_a", "ä", "x" * 129, "a\n", "*", "a/*", "a|b"]
    for name in [*texts, 5, b"a"]:
        with pytest.raises(ConfigError, match=refused) as caught:
            system.spawn(Stays, name=name)
        assert repr(name) in str(caught.value)
        assert len(system.ps(all=True)) == 1, name


def anything(value: Any) -> Any:
    """The value, where a type checker would refuse it, too."""
    return value


VERBS: list[tuple[Any, type[Exception], str]] = [
    (lambda system: system.stop("bystandr"), UnknownActor, "no actor is named 'bystandr'; did you mean bystander?"),
    (lambda system: system.kill(["bystander-2"]), UnknownActor, "did you mean bystander?"),
    (lambda system: system.restart("x"), UnknownActor, "no actor is named 'x'"),
    (lambda system: system.info("x"), UnknownActor, "no actor is named 'x'"),
    (lambda system: system.ref("x"), UnknownActor, "no actor is named 'x'"),
    (lambda system: system.stop(5), ConfigError, "5 names no actor: give a name, a glob, a ref"),
    (lambda system: system.stop("bystander", grace=-1), ConfigError, "seconds from 0 on, or None; got -1"),
    (lambda system: system.kill("bystander/"), UnknownActor, "did you mean bystander?"),
    (lambda system: system.stop("bystander", grace="3"), ConfigError, "seconds from 0 on, or None; got '3'"),
    (lambda system: system.stop("bystander", grace=float("nan")), ConfigError, "got nan"),
    (lambda system: system.ref("bystander").wait(0), WaitTimeout, "bystander did not end within 0 s"),
    (lambda system: system.wait_all(timeout=0), WaitTimeout, "bystander"),
    (lambda _: ActorSystem("a system"), ConfigError, "a system"),
    (lambda _: ActorSystem(preload=anything(5)), ConfigError, "preload=5: give a list of module names"),
    (lambda _: ActorSystem(preload=anything([5])), ConfigError, "preload=[5]: give a list of module names"),
    (lambda system: system.info(5), ConfigError, "5 is no name of an actor: give it as text"),
    (lambda system: system.info(["bystander"]), ConfigError, "['bystander'] is no name of an actor"),
    (lambda system: system.info(system.ref("bystander")), ConfigError, "a ref has it as .name"),
    (lambda system: system.ref(None), ConfigError, "None is no name of an actor"),
    (lambda system: system.story(b"bystander"), ConfigError, "b'bystander' is no name of an actor"),
    (Remote, ConfigError, "is no endpoint: give the name of a system, or what its .endpoint"),
    (lambda _: Observer(anything(None)), ConfigError, "None is no endpoint"),
    (lambda system: Remote(system.endpoint, timeout=anything("1")), ConfigError, "timeout must be a number"),
    (
        lambda system: Observer(system.endpoint, timeout=anything([])),
        ConfigError,
        "timeout must be a number of seconds",
    ),
]


def test_a_verb_with_bad_input_is_refused_and_changes_nothing(system, bystander):
    for act, kind, words in VERBS:
        with pytest.raises(kind) as caught:
            act(system)
        assert isinstance(caught.value, UnderstudyError), words
        assert words in str(caught.value)
        assert (bystander.info().status, bystander.info().incarnation) == (Status.RUNNING, 1), words


def test_a_glob_without_a_match_is_no_error(system, bystander):
    assert system.stop("crawler-*") == system.kill("*x*") == system.restart("[0-9]*") == {}


def test_the_result_of_a_killed_actor_is_an_error_that_says_so(system, bystander):
    ref = system.spawn(Stays, name="victim")
    until(lambda: ref.info().section == "loop", 20, "the loop")
    assert ref.kill() == "asked"
    for _ in range(2):
        with pytest.raises(ActorKilled, match=r"^victim was killed in __loop__ \(lap 1, incarnation 1\)$"):
            ref.result(20)
    assert (ref.exception().name, ref.exception().incarnation) == ("victim", 1)
    assert ref.wait() is Status.KILLED


CALLS = [
    lambda system: system.spawn(Stays),
    lambda system: system.stop("*"),
    lambda system: system.kill("*"),
    lambda system: system.restart("*"),
    lambda system: system.ps(),
    lambda system: system.info("before"),
    lambda system: system.ref("before"),
    lambda system: system.wait_all(),
    lambda system: system.cleanup(),
    lambda system: system.reap(),
    lambda system: system.story("before"),
]


def test_after_its_shutdown_a_system_refuses_and_refs_still_tell_what_was():
    with ActorSystem("theatre") as system:
        ref = system.spawn(len, "four", name="before")
        stayed = system.spawn(Stays)
        ref.wait(20)
    for call in CALLS:
        with pytest.raises(SystemClosed, match="the system theatre was shut down; make another"):
            call(system)
    system.shutdown()
    system.shutdown(force=True)
    assert (ref.result(), ref.wait(0), ref.exception(), ref.done()) == (4, Status.FINISHED, None, True)
    assert stayed.result() == "stayed"
    assert (ref.stop(), ref.kill()) == ("ended", "ended")
    assert (ref.info().status, ref.history()[0].exit_code) == (Status.FINISHED, 0)
    with ActorSystem("theatre") as again:
        assert again.spawn(len, "four").result(20) == 4


REF_CALLS = [
    lambda ref: ref.stop(),
    lambda ref: ref.kill(),
    lambda ref: ref.restart(),
    lambda ref: ref.wait(1),
    lambda ref: ref.result(1),
    lambda ref: ref.wait_ready(1),
    lambda ref: ref.info(),
    lambda ref: ref.on_exit(print),
]


def test_in_a_forked_copy_a_system_and_its_refs_refuse_and_the_parents_go_on(system, bystander, tmp_path):
    said = tmp_path / "said"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # 3.12: that there are threads is the point
        copy = os.fork()
    if copy == 0:
        try:
            for calls, subject in ((CALLS, system), (REF_CALLS, bystander)):
                for call in calls:
                    try:
                        call(subject)
                    except BaseException as error:
                        note(said, json.dumps([type(error).__name__, str(error)]))
                    else:
                        note(said, json.dumps(["nothing", ""]))
            system.shutdown(force=True)
            note(said, json.dumps(["shut down", ""]))
        finally:
            os._exit(0)
    os.waitpid(copy, 0)
    told = [json.loads(line) for line in notes(said)]
    assert [kind for kind, _ in told] == ["WrongProcess"] * (len(CALLS) + len(REF_CALLS)) + ["shut down"]
    assert all(f"belongs to process {os.getpid()}; this is a forked copy" in text for _, text in told[:-1])
    assert bystander.info().status is Status.RUNNING
    assert system.spawn(len, "four").result(20) == 4


def test_an_actor_cannot_open_a_system_or_open_the_result_of_another(system, bystander):
    def opens():
        ActorSystem()

    def reaches(ref):
        ref.result()

    wrong = {
        "opens": "an ActorSystem belongs to the parent process, not inside the actor opens",
        "reaches": "results and errors of actors are opened by the program, not inside the actor reaches",
    }
    for target, arguments in ((opens, ()), (reaches, (bystander,))):
        error = system.spawn(target, *arguments, name=target.__name__).exception(20)
        assert type(error.__cause__) is WrongProcess
        assert wrong[target.__name__] in str(error)
