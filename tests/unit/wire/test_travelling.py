"""The reducers, in one process: what they keep for any content, and that they leave the original alone."""

from __future__ import annotations

import array
import contextlib
import contextvars
import gc
import io
import pickle
import queue
import sys
import threading
import types
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from understudy.wire.pickling import dumps, loads
from understudy.wire.travelling import names, paths, table
from understudy.wire.travelling.refusal import Refusal, Refused

pytestmark = pytest.mark.requirement("P10")


def through(thing: Any) -> Any:
    return loads([dumps(thing, "it")])


@given(st.lists(st.integers()), st.integers(0, 5), st.sampled_from([queue.Queue, queue.LifoQueue, queue.PriorityQueue]))
def test_a_queue_keeps_its_items_and_order_here_and_there(items: list[int], taken: int, kind: Any):
    jobs = kind()
    for item in items:
        jobs.put(item)
    for _ in range(min(taken, len(items))):
        jobs.get()
    copy = through(jobs)
    left = jobs.qsize()
    assert (copy.qsize(), copy.unfinished_tasks) == (left, left)
    assert [copy.get_nowait() for _ in range(left)] == [jobs.get_nowait() for _ in range(left)]


@given(st.lists(st.none() | st.integers() | st.lists(st.integers())), st.integers(0, 30))
def test_a_simple_queue_keeps_its_items_and_order_here_and_there(items: list[Any], taken: int):
    jobs: queue.SimpleQueue[Any] = queue.SimpleQueue()
    for item in items:
        jobs.put(item)
    for _ in range(min(taken, len(items))):
        jobs.get()
    copy, left = through(jobs), jobs.qsize()
    assert [copy.get_nowait() for _ in range(left)] == [jobs.get_nowait() for _ in range(left)]
    assert copy.empty()


def test_a_simple_queue_in_use_is_copied_whole():
    """Items go in and out in order all the while: what is copied is always a run of them without a gap."""
    jobs: queue.SimpleQueue[int] = queue.SimpleQueue()
    go_on = threading.Event()

    def turn() -> None:
        number = 0
        while not go_on.is_set():
            jobs.put(number)
            number += 1
            if number > 5:
                jobs.get()

    worker = threading.Thread(target=turn)
    worker.start()
    try:
        for _ in range(200):
            with contextlib.suppress(Exception):  # that it is never at rest is an answer too
                copy = through(jobs)
                items = [copy.get_nowait() for _ in range(copy.qsize())]
                assert items == list(range(items[0], items[0] + len(items))) if items else True
    finally:
        go_on.set()
        worker.join()


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    text=st.text(st.sampled_from("aäß€\U0001f600\r\n"), max_size=40),
    read=st.integers(0, 40),
    newline=st.sampled_from([None, "", "\n", "\r", "\r\n"]),
    encoding=st.sampled_from(["utf-8", "utf-16", "utf-8-sig", "utf-32-le"]),
)
def test_a_text_is_read_on_from_any_place(tmp_path: Path, text: str, read: int, newline: Any, encoding: str):
    path = tmp_path / "text"
    path.write_bytes(text.encode(encoding))
    with open(path, encoding=encoding, newline=newline) as file:
        file.read(read)
        at = file.tell()
        with through(file) as again:
            assert file.tell() == at
            assert again.read() == file.read()
            assert (again.encoding, again.errors, again.mode, again.name) == (encoding, "strict", "r", str(path))


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    before=st.text(st.sampled_from("aä\n"), max_size=20),
    after=st.text(st.sampled_from("bö\n"), max_size=20),
    mode=st.sampled_from(["w", "a", "w+", "a+", "r+"]),
    newline=st.sampled_from([None, "", "\r\n"]),
)
def test_a_text_is_written_on_and_never_truncated(tmp_path: Path, before: str, after: str, mode: str, newline: Any):
    path, alone = tmp_path / "text", tmp_path / "alone"
    for one in (path, alone):
        one.write_bytes(b"old")
    with open(path, mode, newline=newline, encoding="utf-8") as file:
        file.write(before)
        with through(file) as again:
            assert again.mode == mode
            again.write(after)
    with open(alone, mode, newline=newline, encoding="utf-8") as file:
        file.write(before + after)
    assert path.read_bytes() == alone.read_bytes()


@given(st.binary(max_size=60), st.sampled_from("bBhHiIfd"), st.booleans())
def test_a_view_arrives_as_a_copy_that_can_be_written(data: bytes, form: str, gaps: bool):  # noqa: FBT001
    size = array.array(form).itemsize
    whole: Any = memoryview(data[: len(data) // size * size])
    view = whole.cast(form)
    view = view[::2] if gaps else view
    copy = through(view)
    assert (copy.tobytes(), copy.format, copy.shape) == (view.tobytes(), view.format, view.shape)
    assert not copy.readonly


@given(st.text(), st.integers(0, 20))
def test_a_text_in_memory_keeps_its_place(text: str, at: int):
    file = io.StringIO(text)
    file.seek(at)
    assert through(file).read() == file.read()


def test_a_read_only_mapping_is_over_the_same_dict_there():
    inner = {"a": 1}
    copy, view = through([inner, types.MappingProxyType(inner)])
    copy["b"] = 2
    assert view["b"] == 2


def test_functions_that_share_a_variable_share_it_there():
    def make() -> Any:
        total = 0

        def add(number: int) -> None:
            nonlocal total
            total += number

        return add, lambda: total, make

    add, look, _ = through(make())
    add(3)
    assert look() == 3
    assert make()[1]() == 0


def test_a_function_that_calls_itself_through_its_closure_travels():
    def outer() -> Any:
        def down(number: int) -> int:
            return number and 1 + down(number - 1)

        return down

    assert through(outer())(5) == 5


def test_a_constant_is_found_by_name_only_in_modules_that_can_be_imported(monkeypatch: pytest.MonkeyPatch):
    mark = object()
    names.look_anew()
    assert names.constant(mark) is None
    monkeypatch.setattr(pickle, "MARK", mark, raising=False)
    assert through(mark) is mark
    monkeypatch.delattr(pickle, "MARK")
    monkeypatch.setattr(sys.modules[__name__], "MARK", mark, raising=False)
    assert through(mark) is not mark, "a test module is not imported by a child"


def test_a_context_variable_of_a_module_is_that_variable(monkeypatch: pytest.MonkeyPatch):
    variable = contextvars.ContextVar[int]("variable")
    monkeypatch.setattr(pickle, "VARIABLE", variable, raising=False)
    assert through({"it": variable})["it"] is variable


def test_a_module_of_a_class_of_its_own_goes_by_name(monkeypatch: pytest.MonkeyPatch):
    class Lazy(types.ModuleType):
        """One that loads its parts when they are asked for."""

    lazy = Lazy("made_lazily")
    monkeypatch.setitem(sys.modules, "made_lazily", lazy)
    assert through(lazy) is lazy


def test_a_module_that_was_made_by_hand_goes_by_value(monkeypatch: pytest.MonkeyPatch):
    made = types.ModuleType("made_by_hand")
    exec("class Thing:\n    number = 7", vars(made))  # noqa: S102
    assert not names.by_value(made)
    monkeypatch.setitem(sys.modules, "made_by_hand", made)
    assert names.by_value(made)
    pickled = dumps(made.Thing, "it")
    assert b"number" in pickled


@pytest.mark.parametrize("name", table.TABLE)
def test_each_line_of_the_table_names_a_kind_that_is_there(name: str):
    module, _, path = name.partition(".")
    while path and "." in path and path.split(".")[0].islower():
        head, _, path = path.partition(".")
        module += f".{head}"
    homes = {"builtins": types, "_thread": threading, "weakref": __import__("weakref")}
    if module in {"_dbm", "_gdbm", "posix"}:
        pytest.skip("not on every platform, or not to be had by name")
    found = __import__(module, fromlist=[path])
    named = getattr(found, path, None)
    if named is None or f"{named.__module__}.{named.__qualname__}" != name:  # not called there what it calls itself
        kinds = {f"{kind.__module__}.{kind.__qualname__}" for kind in _kinds_of(homes.get(module, found))}
        assert name in kinds


def _kinds_of(module: Any) -> set[type]:
    import contextvars
    import functools
    import struct
    import weakref
    import zlib

    made: list[Any] = [threading.Lock(), threading.RLock(), threading.local(), functools.lru_cache(len)]
    made += [struct.Struct("i"), zlib.compressobj(), zlib.decompressobj(), contextvars.copy_context()]
    kinds = {type(one) for one in made} | {weakref.ref, weakref.ProxyType, weakref.CallableProxyType}
    return kinds | {value for value in vars(module).values() if isinstance(value, type)}


def test_a_refusal_is_a_line_of_the_table_and_says_what_to_do():
    refusals = [entry for entry in table.TABLE.values() if isinstance(entry, Refusal)]
    assert len(refusals) > 40
    for entry in refusals:
        with pytest.raises(Refused, match=r"\w+ .*\w+"):
            entry(None)


@pytest.mark.parametrize(
    ("steps", "text"),
    [
        ((".cfg", ("k",), 0), "self.cfg['k'][0]"),
        (("the variable 'a' of its closure", ".b"), "self: the variable 'a' of its closure, at .b"),
        ((".w", "the global 'A'", "the global 'B'", 0), "self.w: the global 'A', the global 'B', at [0]"),
        ((), "self"),
    ],
)
def test_a_path_reads_as_it_is_written(steps: tuple[Any, ...], text: str):
    assert paths.told("self", steps) == text


def test_looking_for_the_way_holds_on_to_nothing():
    class Thing: ...

    thing = Thing()
    thing.inner = [object()]  # type: ignore[attr-defined]
    before = sys.getrefcount(thing)
    assert paths.find({"a": thing}, thing.inner[0]) == (("a",), ".inner", 0)  # type: ignore[attr-defined]
    gc.collect()
    assert sys.getrefcount(thing) == before
