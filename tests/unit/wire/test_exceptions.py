"""Exceptions travel whole: type, text, arguments, attributes, notes and chain, whatever their `__init__` wants."""

from __future__ import annotations

import importlib
import pickle
from typing import Any

import pytest

from understudy import errors
from understudy.errors import (
    ActorDied,
    ActorError,
    AskTimeout,
    ConfigError,
    MainLoopTimeoutError,
    PreloopError,
    StartError,
    StartTimeout,
    UnderstudyError,
    UnknownActor,
)
from understudy.status import DeathReport
from understudy.wire.pickling import dump_frames, loads

pytestmark = pytest.mark.requirement("E5")


class Wants(Exception):
    """Its arguments are not what its `__init__` takes."""

    def __init__(self, host: str, port: int, *, tries: int) -> None:
        super().__init__(f"{host}:{port} refused {tries} times")
        self.host, self.port, self.tries = host, port, tries


class Silent(Exception):
    """It passes nothing on."""

    def __init__(self, code: int) -> None:
        self.code = code

    def __str__(self) -> str:
        return f"code {self.code}"


class Slots(Exception):
    __slots__ = ("extra",)
    extra: int


class Mixed(ConnectionError, LookupError):
    """Two bases of which one is built in C with fields of its own."""

    def __init__(self, where: str) -> None:
        super().__init__(111, "refused", where)
        self.where = where


class Decoding(UnicodeDecodeError):
    def __init__(self, path: str) -> None:
        super().__init__("utf-8", b"\xff", 0, 1, "bad start")
        self.path = path


class Own(Exception):
    """It says itself how it travels."""

    def __init__(self, one: int, two: int) -> None:
        super().__init__("own")
        self.pair = (one, two)

    def __reduce__(self) -> Any:
        return Own, self.pair


class OwnToo(Exception):
    """It says so by the other method."""

    def __init__(self, one: int) -> None:
        super().__init__("own too")
        self.one = one

    def __reduce_ex__(self, _: object) -> Any:
        return OwnToo, (self.one + 1,)


def through(error: BaseException) -> Any:
    opened = loads(dump_frames(error, "error"))
    assert type(opened) is type(error)
    assert str(opened) == str(error)
    assert opened.args == error.args
    assert vars(opened) == vars(error)
    return opened


@pytest.mark.parametrize(
    "error",
    [
        ValueError("x"),
        ValueError(),
        KeyError("missing"),
        Exception(1, ["two"], {"three": 3}),
        StopIteration(7),
        SystemExit(3),
        KeyboardInterrupt(),
        MemoryError("no room"),
        RecursionError("too deep"),
        AssertionError(),
        TimeoutError("late"),
        ZeroDivisionError("division by zero"),
        Wants("db", 5432, tries=3),
        Silent(7),
    ],
    ids=lambda error: type(error).__name__,
)
def test_an_exception_comes_back_whole(error: BaseException):
    through(error)


def test_an_init_of_its_own_is_not_called_and_not_missed():
    opened = through(Wants("db", 5432, tries=3))
    assert (opened.host, opened.port, opened.tries) == ("db", 5432, 3)
    assert str(opened) == "db:5432 refused 3 times"


@pytest.mark.parametrize(
    "error",
    [
        OSError(2, "No such file", "/srv/texts"),
        FileNotFoundError(2, "No such file", "/srv/texts"),
        OSError("one argument"),
        OSError(18, "cross-device", "/a", None, "/b"),
        PermissionError(13, "denied"),
        Mixed("/run/x"),
    ],
)
def test_an_os_error_keeps_number_text_and_files(error: OSError):
    opened = through(error)
    for name in ("errno", "strerror", "filename", "filename2"):
        assert getattr(opened, name) == getattr(error, name)


@pytest.mark.parametrize(
    "error",
    [
        UnicodeDecodeError("utf-8", b"ab\xff", 2, 3, "invalid start byte"),
        UnicodeEncodeError("ascii", "aé", 1, 2, "ordinal not in range"),
        UnicodeTranslateError("aé", 1, 2, "no"),
        Decoding("/srv/texts"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_a_unicode_error_keeps_its_fields(error: UnicodeError):
    opened = through(error)
    for name in ("object", "start", "end", "reason"):
        assert getattr(opened, name) == getattr(error, name)


def test_a_syntax_error_keeps_its_place():
    with pytest.raises(SyntaxError) as caught:
        compile("x = (\ny y", "conf.py", "exec")
    raised = caught.value
    opened = through(raised)
    for name in ("msg", "filename", "lineno", "offset", "text", "end_lineno", "end_offset"):
        assert getattr(opened, name) == getattr(raised, name)


def test_an_import_error_keeps_name_and_path():
    opened = through(ImportError("no luck", name="texts", path="/srv/texts.py"))
    assert (opened.name, opened.path, opened.msg) == ("texts", "/srv/texts.py", "no luck")
    with pytest.raises(ModuleNotFoundError) as caught:
        importlib.import_module("no_such_module_anywhere")
    assert through(caught.value).name == "no_such_module_anywhere"


def test_a_name_and_an_attribute_error_keep_the_name():
    assert through(NameError("name 'x' is not defined", name="x")).name == "x"
    assert through(AttributeError("no y", name="y")).name == "y"


def test_a_system_exit_and_a_stop_iteration_keep_code_and_value():
    assert through(SystemExit(3)).code == 3
    assert through(SystemExit("text")).code == "text"
    assert through(StopIteration(7)).value == 7


def test_a_group_keeps_its_exceptions_and_theirs():
    inner = ExceptionGroup("inner", [Wants("db", 1, tries=2), KeyError("k")])
    opened = loads(dump_frames(ExceptionGroup("outer", [inner, ValueError("v")]), "error"))
    assert str(opened) == "outer (2 sub-exceptions)"
    assert [type(each) for each in opened.exceptions] == [ExceptionGroup, ValueError]
    assert opened.exceptions[0].exceptions[0].port == 1
    based = loads(dump_frames(BaseExceptionGroup("based", [KeyboardInterrupt()]), "error"))
    assert type(based.exceptions[0]) is KeyboardInterrupt


def test_notes_travel():
    error = ValueError("x")
    error.add_note("while indexing /srv/texts")
    assert through(error).__notes__ == ["while indexing /srv/texts"]


def test_the_chain_travels_with_all_its_links():
    try:
        try:
            try:
                raise KeyError("first")
            except KeyError:
                raise Wants("db", 1, tries=2)  # noqa: B904 - the context is what is asked about
        except Wants as error:
            raise ValueError("last") from error
    except ValueError as error:
        raised = error
    opened = loads(dump_frames(raised, "error"))
    assert type(opened.__cause__) is Wants
    assert opened.__cause__ is opened.__context__
    assert opened.__suppress_context__
    assert type(opened.__cause__.__context__) is KeyError
    assert not opened.__cause__.__suppress_context__


def test_a_chain_that_was_cut_stays_cut():
    try:
        try:
            raise KeyError("first")
        except KeyError:
            raise ValueError("last") from None
    except ValueError as error:
        raised = error
    opened = loads(dump_frames(raised, "error"))
    assert opened.__cause__ is None
    assert type(opened.__context__) is KeyError
    assert opened.__suppress_context__


def test_a_chain_that_is_a_circle_travels():
    one, other = ValueError("one"), KeyError("other")
    one.__context__, other.__context__ = other, one
    opened = loads(dump_frames(one, "error"))
    assert opened.__context__.__context__ is opened


def test_an_exception_that_says_itself_how_it_travels_is_heard():
    opened = loads(dump_frames(Own(1, 2), "error"))
    assert (type(opened), opened.pair) == (Own, (1, 2))
    assert loads(dump_frames(OwnToo(1), "error")).one == 2


def test_slots_of_an_exception_do_not_break_it():
    error = Slots("text")
    error.extra = 7
    opened = loads(dump_frames(error, "error"))
    assert (str(opened), opened.extra) == ("text", 7)


# --- our own


REPORT = DeathReport("indexer", 1, 1, "killed", signal="SIGKILL", stderr=("a line",))

OWN = [
    ConfigError("lives must be a whole number"),
    UnknownActor("no actor is named 'x'"),
    AskTimeout("no reply"),
    ActorError("text", name="indexer", incarnation=3, report=REPORT),
    PreloopError("text", name="indexer", incarnation=3, report=REPORT, section="preloop", lap=17),
    MainLoopTimeoutError("text", name="indexer", incarnation=3, section="loop", lap=17),
    StartError("text", name="indexer", phase="connecting", exit_code=70),
    StartTimeout("text", name="indexer", phase="connecting", signal="SIGKILL"),
    ActorDied("text", name="indexer", incarnation=1, report=REPORT, exit_code=None, signal="SIGSEGV"),
]


@pytest.mark.parametrize("error", OWN, ids=lambda error: type(error).__name__)
def test_our_errors_pickle_with_all_their_attributes(error: UnderstudyError):
    if isinstance(error, ActorError):
        error.result = {"kept": True}
    for opened in (loads(dump_frames(error, "error")), pickle.loads(pickle.dumps(error))):
        assert type(opened) is type(error)
        assert str(opened) == str(error)
        assert vars(opened) == vars(error)


def test_every_error_of_ours_pickles():
    kinds = [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, UnderstudyError)]
    assert len(kinds) > 40
    for kind in kinds:
        opened = pickle.loads(pickle.dumps(kind("text")))
        assert (type(opened), str(opened)) == (kind, "text")


def test_our_errors_travel_with_their_cause_and_notes():
    error = PreloopError("text", name="indexer", section="preloop", lap=1)
    error.__cause__ = Wants("db", 5432, tries=3)
    error.add_note("__error__ of indexer ran 0.5 s and was ended")
    opened = loads(dump_frames(error, "error"))
    assert opened.__cause__.port == 5432
    assert opened.__suppress_context__
    assert opened.__notes__ == error.__notes__
    assert opened.section == "preloop"
