"""How what goes wrong in a hook reaches the parent: typed, with its text, place, cause and traceback."""

from __future__ import annotations

import os
import socket
import threading
import traceback
from typing import Any

import pytest

from understudy import (
    ActorError,
    MainLoopError,
    OnFinishError,
    PostLoopError,
    PreloopError,
    Process,
    ResultError,
    SectionError,
    SerializationError,
    Status,
)


class RaisesIn(Process):
    """Raises what a function makes, in one section of its second lap."""

    def __init__(self, section, make):
        self.section, self.make = section, make
        self.config.num_loops = 2

    def reach(self, section):
        if self.current_lap == 2 and section == self.section:
            raise self.make()

    def __preloop__(self):
        self.reach("preloop")

    def __loop__(self):
        self.reach("loop")

    def __postloop__(self):
        self.reach("postloop")

    def __onfinish__(self):
        self.reach("onfinish")

    def __result__(self):
        self.reach("result")


def refused():
    return ConnectionRefusedError(111, "Connection refused")


SECTIONS = [
    ("preloop", PreloopError),
    ("loop", MainLoopError),
    ("postloop", PostLoopError),
    ("onfinish", OnFinishError),
    ("result", ResultError),
]


@pytest.mark.requirement("E4")
@pytest.mark.fault("F11")
def test_the_error_of_a_hook_says_what_where_and_to_whom(system, host):
    kinds = {f"indexer/{section}": (section, kind) for section, kind in SECTIONS}
    refs = [system.spawn(RaisesIn, section, refused, name=name, host=host) for name, (section, _) in kinds.items()]
    for ref in refs:
        section, kind = kinds[ref.name]
        with pytest.raises(kind) as caught:
            ref.result(20)
        error = caught.value
        assert type(error) is kind
        place = f"(__{section}__ of {ref.name}, lap 2, incarnation 1)"
        assert str(error) == f"ConnectionRefusedError: [Errno 111] Connection refused {place}"
        assert (error.section, error.lap, error.incarnation, error.name) == (section, 2, 1, ref.name)
        assert isinstance(error, SectionError)
        assert isinstance(error, ActorError)
        assert type(error.__cause__) is ConnectionRefusedError
        assert error.__cause__.errno == 111
        assert ref.info().status is Status.CRASHED


@pytest.mark.requirement("E4")
def test_printed_the_error_shows_the_childs_traceback_as_text(system):
    ref = system.spawn(RaisesIn, "loop", refused, name="indexer")
    error = ref.exception(20)
    printed = "".join(traceback.format_exception(error))
    assert "in reach\n    raise self.make()" in printed
    assert printed.splitlines()[-1] == f"understudy.errors.MainLoopError: {error}"
    assert os.path.basename(__file__) in printed


@pytest.mark.requirement("E4")
def test_the_error_names_the_life_that_was_the_last(system):
    config = {"lives": 3, "restart.backoff.base": 0}
    error = system.spawn(RaisesIn, "loop", refused, name="indexer", config=config).exception(20)
    assert str(error).endswith("(__loop__ of indexer, lap 2, incarnation 3)")
    assert (error.incarnation, error.report.incarnation) == (3, 3)


@pytest.mark.requirement("E4")
def test_an_error_raised_from_another_keeps_the_chain(system):
    def chained():
        try:
            try:
                raise KeyError("inner")
            except KeyError as inner:
                raise ValueError("middle") from inner
        except ValueError as middle:
            error = RuntimeError("outer")
            error.__cause__ = middle
            return error

    error = system.spawn(RaisesIn, "loop", chained).exception(20)
    chain = []
    while error is not None:
        chain.append(type(error).__name__)
        error = error.__cause__
    assert chain == ["MainLoopError", "RuntimeError", "ValueError", "KeyError", "RemoteTraceback"]


class TwoArguments(Exception):
    def __init__(self, host, *, port):
        super().__init__(f"{host} does not answer")
        self.host, self.port = host, port


class HoldsALock(Exception):
    def __init__(self, text):
        super().__init__(text)
        self.lock = threading.Lock()
        self.socket = None

    def with_socket(self):
        self.socket = socket.socketpair()
        return self


def explode(*_):
    raise RuntimeError("not here")


class NotToBeOpened(Exception):
    def __reduce__(self):
        return explode, ()


class NotToBePacked(Exception):
    def __reduce__(self):
        raise RuntimeError("stays where it is")


class SpeaksNot(Exception):
    def __str__(self):
        raise RuntimeError("no words")


class OfItsOwnKind(BaseException):
    pass


class Slotted(Exception):
    __slots__ = ("code",)

    def __init__(self, code):
        super().__init__(f"code {code}")
        self.code = code


def too_deep():
    return too_deep()


def raised_by(act):
    try:
        act()
    except BaseException as error:
        return error
    raise AssertionError("it raised nothing")


def noted():
    error = ValueError("with a note")
    error.add_note("look in the cellar")
    return error


KEPT: list[tuple[Any, str, Any]] = [
    (lambda: SystemExit(3), "SystemExit: 3", lambda e: e.code == 3),
    (lambda: SystemExit("bye"), "SystemExit: bye", lambda e: e.code == "bye"),
    (lambda: SystemExit(0), "SystemExit: 0", lambda e: e.code == 0),
    (lambda: KeyboardInterrupt("^C"), "KeyboardInterrupt: ^C", lambda _: True),
    (lambda: GeneratorExit("out"), "GeneratorExit: out", lambda _: True),
    (lambda: OfItsOwnKind("base"), "OfItsOwnKind: base", lambda _: True),
    (lambda: raised_by(lambda: bytearray(1 << 62)), "MemoryError", lambda _: True),
    (lambda: raised_by(too_deep), "RecursionError: maximum recursion depth", lambda _: True),
    (
        lambda: ExceptionGroup("several", [ValueError(1), ExceptionGroup("inner", [TwoArguments("h", port=2)])]),
        "ExceptionGroup: several (2 sub-exceptions)",
        lambda e: e.exceptions[1].exceptions[0].port == 2,
    ),
    (
        lambda: BaseExceptionGroup("several", [SystemExit(4)]),
        "BaseExceptionGroup: several (1 sub-exception)",
        lambda e: e.exceptions[0].code == 4,
    ),
    (
        lambda: TwoArguments("db", port=5432),
        "TwoArguments: db does not answer",
        lambda e: (e.host, e.port, e.args) == ("db", 5432, ("db does not answer",)),
    ),
    (lambda: Slotted(7), "Slotted: code 7", lambda e: e.code == 7),
    (
        lambda: raised_by(lambda: open("/no/such/file")),  # noqa: SIM115
        "FileNotFoundError: [Errno 2] No such file or directory: '/no/such/file'",
        lambda e: (e.errno, e.filename) == (2, "/no/such/file"),
    ),
    (
        lambda: raised_by(b"\xff".decode),
        "UnicodeDecodeError: 'utf-8' codec can't decode byte 0xff in position 0: invalid start byte",
        lambda e: (e.start, e.object) == (0, b"\xff"),
    ),
    (
        lambda: raised_by(lambda: compile("1 +", "cellar.py", "eval")),
        "SyntaxError: invalid syntax (cellar.py, line 1)",
        lambda e: e.filename == "cellar.py",
    ),
    (noted, "ValueError: with a note", lambda e: e.__notes__ == ["look in the cellar"]),
    (lambda: ValueError("ä\n€\x00" * 3), "ValueError: ä\n€\x00", lambda e: len(e.args[0]) == 12),
]


@pytest.mark.requirement("E5")
@pytest.mark.fault("F13")
def test_every_kind_of_exception_keeps_its_type_text_and_attributes(system):
    for make, text, holds in KEPT:
        original = make()
        error = system.spawn(RaisesIn, "loop", make, name="odd").exception(20)
        assert type(error) is MainLoopError
        assert str(error).startswith(text)
        assert str(error).endswith(" (__loop__ of odd, lap 2, incarnation 1)")
        assert type(error.__cause__) is type(original)
        assert holds(error.__cause__), text


@pytest.mark.requirement("E5")
@pytest.mark.fault("F12")
@pytest.mark.fault("F13")
@pytest.mark.parametrize(
    ("make", "text"),
    [
        pytest.param(lambda: HoldsALock("locked").with_socket(), "HoldsALock: locked", id="does-not-pickle"),
        pytest.param(lambda: NotToBePacked("p"), "NotToBePacked: p", id="reduce-raises"),
        pytest.param(lambda: NotToBeOpened("o"), "NotToBeOpened: o", id="does-not-unpickle"),
        pytest.param(
            lambda: ExceptionGroup("several", [NotToBeOpened("o")]), "ExceptionGroup: several", id="within-a-group"
        ),
        pytest.param(lambda: SpeaksNot(1), "SpeaksNot: <its text cannot be had: RuntimeError>", id="str-raises"),
    ],
)
def test_an_exception_that_cannot_travel_keeps_its_text_and_traceback(system, make, text):
    ref = system.spawn(RaisesIn, "loop", make, name="odd")
    error = ref.exception(20)
    assert type(error) is MainLoopError
    assert str(error).startswith(text)
    assert "raise self.make()" in "".join(traceback.format_exception(error))
    assert system.spawn(lambda: "the system goes on").result(20) == "the system goes on"


class Returns(Process):
    def __init__(self, make, lives=1):
        self.make = make
        self.config.lives = lives
        self.config.restart.backoff.base = 0
        self.config.num_loops = 1

    def __loop__(self):
        pass

    def __result__(self):
        return self.make(self)


def generator(_):
    return {"rows": [1, (number for number in range(3))]}


class ExitsWhenPacked:
    def __reduce__(self):
        raise SystemExit(5)


class ExitsWhenOpened:
    def __reduce__(self):
        return os.sys.exit, (6,)  # type: ignore[attr-defined]


class RaisesWhenOpened:
    def __reduce__(self):
        return explode, ()


@pytest.mark.requirement("E5")
@pytest.mark.fault("F12")
def test_a_result_that_does_not_pickle_is_an_error_that_names_the_place(system, host):
    made = {
        r"SerializationError: result\['rows'\]\[1\]: builtins.generator ": generator,
        r"SerializationError: result: .*ExitsWhenPacked cannot": lambda _: ExitsWhenPacked(),
        r"SerializationError: .*NotToBePacked cannot": lambda _: NotToBePacked("p"),
    }
    refs = {words: system.spawn(Returns, make, host=host) for words, make in made.items()}
    for words, ref in refs.items():
        with pytest.raises(ResultError, match=words) as caught:
            ref.result(20)
        assert caught.value.section == "result"
        assert isinstance(caught.value.__cause__, SerializationError)
        assert ref.history()[0].exit_code == 1


@pytest.mark.requirement("E5")
@pytest.mark.fault("F13")
@pytest.mark.parametrize(
    ("make", "words"),
    [
        pytest.param(lambda _: RaisesWhenOpened(), "RuntimeError: not here", id="raises"),
        pytest.param(lambda _: ExitsWhenOpened(), "SystemExit: 6", id="exits"),
    ],
)
def test_a_result_that_cannot_be_opened_is_the_askers_error_and_the_system_goes_on(system, make, words):
    ref = system.spawn(Returns, make, name="sealed")
    assert ref.wait(20) is Status.FINISHED
    for _ in range(2):
        with pytest.raises(ResultError, match=rf"{words} \(the result of sealed arrived but cannot be opened here\)"):
            ref.result(20)
    assert system.spawn(lambda: "the system goes on").result(20) == "the system goes on"


@pytest.mark.requirement("E5")
def test_a_result_that_fails_in_one_life_costs_that_life(system):
    def second_time_right(process):
        return "right" if process.incarnation == 2 else generator(process)

    ref = system.spawn(Returns, second_time_right, lives=2)
    assert ref.result(20) == "right"


@pytest.mark.requirement("E5")
def test_no_exception_of_a_hook_reaches_the_parent_as_a_bare_exit_or_interrupt(system):
    refs = [system.spawn(RaisesIn, "loop", make) for make in (lambda: SystemExit(0), KeyboardInterrupt)]
    for ref in refs:
        with pytest.raises(MainLoopError):
            ref.result(20)
    assert {info.status for info in system.ps(all=True)} == {Status.CRASHED}
