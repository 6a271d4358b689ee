"""What travels and how: frames, classes by value, and refusals that name the attribute path."""

from __future__ import annotations

import contextlib
import enum
import gc
import hashlib
import json
import pickle
import select
import socket
import subprocess
import sys
import threading
import types
import weakref
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cloudpickle
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from understudy.errors import NameTaken, SerializationError
from understudy.runtime import Interruption
from understudy.wire.codec import MAX_FRAMES
from understudy.wire.pickling import dump_frames, dumps, loads
from understudy.wire.travelling.names import by_value, spawned_at_import

SRC = Path(__file__).parents[3] / "src"

plain = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False)
    | st.text()
    | st.binary()
    | st.complex_numbers(allow_nan=False),
    lambda inner: (
        st.lists(inner) | st.tuples(inner, inner) | st.dictionaries(st.text(), inner) | st.frozensets(st.text())
    ),
    max_leaves=12,
)


class Holder:
    """A user's object."""

    def __init__(self, **attributes: Any) -> None:
        self.__dict__.update(attributes)


class Exporting:
    """A user's object that gives its buffer away."""

    def __init__(self, buffer: Any) -> None:
        self.view = memoryview(buffer)

    def __reduce_ex__(self, _: Any) -> Any:
        return Exporting, (pickle.PickleBuffer(self.view),)


class Slotted:
    """A user's object without a `__dict__`."""

    __slots__ = ("handle", "unset")

    def __init__(self, handle: object) -> None:
        self.handle = handle


class Derived(Slotted):
    """Slots of its own and of its base."""

    __slots__ = ("more",)


class Refusing:
    """It does not travel, in a way of its own."""

    def __init__(self, error: Callable[[], BaseException]) -> None:
        self.error = error

    def __reduce__(self) -> Any:
        raise self.error()


class Mute(Exception):
    """Its text cannot be had."""

    def __str__(self) -> str:
        raise RuntimeError("no text")


class Quiet(BaseException):
    """Neither an error nor an exit."""


class Colour(enum.Enum):
    RED = 1


@dataclass(frozen=True, slots=True)
class Point:
    x: int
    y: int


def refusal(obj: Any, root: str = "self") -> str:
    with pytest.raises(SerializationError) as caught:
        dumps(obj, root)
    with pytest.raises(SerializationError):
        dump_frames(obj, root)
    return str(caught.value)


def closing_over(value: Any) -> Callable[[], Any]:
    return lambda: value


# --- round trips


@given(plain)
def test_plain_values_come_back_equal_and_of_their_types(value: Any):
    for opened in (loads([dumps(value, "it")]), loads(dump_frames(value, "it"))):
        assert opened == value
        assert type(opened) is type(value)


@pytest.mark.parametrize("value", [Colour.RED, Point(1, 2), Derived, closing_over, len, json, Holder.__init__])
def test_what_has_a_name_comes_back_as_itself_or_equal(value: object):
    opened = loads([dumps(value, "it")])
    assert opened == value or opened.__qualname__ == value.__qualname__  # type: ignore[attr-defined]


def test_an_object_is_pickled_once_however_often_it_is_met():
    one = Holder(number=7)
    first, second = loads([dumps((one, {"again": one}), "it")])
    assert second["again"] is first


def test_what_stands_beside_an_object_travels_in_the_same_pickle_and_in_no_path():
    shared = [1]
    obj, beside = loads([dumps(Holder(rows=shared), "self", shared)])
    assert obj.rows is beside
    with pytest.raises(SerializationError, match=r"^self\.handle: _hashlib\.HASH"):
        dumps(Holder(handle=hashlib.sha256()), "self", "config")


# --- buffers


def test_big_buffers_travel_beside_the_pickle_uncopied():
    array = np.arange(100_000)
    frames = dump_frames({"array": array}, "it")
    assert len(frames) == 2
    assert len(frames[0]) < 1000
    assert memoryview(frames[1]).nbytes == array.nbytes
    assert np.shares_memory(np.frombuffer(frames[1], array.dtype), array)
    assert (loads(frames)["array"] == array).all()


def test_more_buffers_than_a_message_has_room_for_stay_in_the_pickle():
    arrays = [np.full(3, number) for number in range(MAX_FRAMES + 100)]
    frames = dump_frames(arrays, "it")
    assert len(frames) < MAX_FRAMES - 1, "the envelope is a frame too"
    opened = loads(frames)
    assert all((one == other).all() for one, other in zip(arrays, opened, strict=True))


def test_a_buffer_with_holes_is_refused_by_its_path():
    class Sparse:
        def __reduce_ex__(self, _: object) -> Any:
            return bytes, (pickle.PickleBuffer(memoryview(b"abcdef")[::2]),)

    with pytest.raises(SerializationError, match=r"^result\.part: .*Sparse cannot travel"):
        dump_frames(Holder(part=Sparse()), "result")


@pytest.mark.parametrize("kept", [threading.Thread(target=print), (n for n in range(3))])
def test_what_cannot_come_home_is_refused_with_advice_for_who_returned_it(kept: object):
    with pytest.raises(SerializationError, match=r"^result\['it'\]: .* cannot travel; return what was made of it"):
        dump_frames({"it": kept}, "result")
    with pytest.raises(SerializationError, match=r"^self\['it'\]: .*__preloop__"):
        dumps({"it": kept}, "self")


# --- by value


def test_classes_and_functions_of_a_test_module_travel_by_value(tmp_path: Path):
    holder = Holder(point=Point(3, 4), make=closing_over("closed over"), colour=Colour.RED, kind=Derived)
    (tmp_path / "it").write_bytes(dumps(holder, "self"))
    script = (
        f"import pickle, sys; sys.path.insert(0, {str(SRC)!r}); it = pickle.load(open('it', 'rb')); "
        "print(it.point, it.make(), it.colour.name, it.kind.__qualname__, it.kind(7).handle, 'tests' in sys.modules)"
    )
    ran = subprocess.run([sys.executable, "-c", script], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (ran.stdout, ran.stderr) == ("Point(x=3, y=4) closed over RED Derived 7 False\n", "")


def test_enums_and_slots_keep_their_identity_here():
    assert loads([dumps(Colour.RED, "it")]) is Colour.RED
    opened = loads([dumps(Derived(7), "it")])
    assert type(opened) is Derived
    assert not hasattr(opened, "__dict__")


def test_modules_by_value_are_those_that_a_child_could_not_or_should_not_import(monkeypatch: pytest.MonkeyPatch):
    here = sys.modules[__name__]
    assert by_value(here), "pytest rewrote it"
    assert not by_value(json)
    assert not by_value(types.ModuleType("made_by_hand"))
    monkeypatch.setattr(json.__spec__, "_initializing", True, raising=False)
    assert by_value(json), "its import is under way"


def test_a_module_that_spawned_at_import_goes_by_value(monkeypatch: pytest.MonkeyPatch):
    import email.policy as module

    by_reference = dumps(module.EmailPolicy, "it")
    monkeypatch.setitem(sys.modules, module.__name__, module)
    spawned_at_import.add(module.__name__)
    try:
        assert by_value(module)
        assert len(dumps(module.EmailPolicy, "it")) > 5 * len(by_reference)
    finally:
        spawned_at_import.discard(module.__name__)
    assert dumps(module.EmailPolicy, "it") == by_reference


@pytest.mark.parametrize("obj", [Holder(fine=closing_over(1)), Holder(bad=hashlib.sha256()), Point(1, 2)])
def test_cloudpickles_own_list_of_modules_is_left_as_it_was(obj: object):
    before = cloudpickle.list_registry_pickle_by_value()
    with contextlib.suppress(SerializationError):
        dumps(obj, "it")
    assert cloudpickle.list_registry_pickle_by_value() == before == set()


def test_a_module_that_the_user_registered_stays_registered():
    cloudpickle.register_pickle_by_value(sys.modules[__name__])
    try:
        dumps(Holder(), "it")
        assert __name__ in cloudpickle.list_registry_pickle_by_value()
    finally:
        cloudpickle.unregister_pickle_by_value(sys.modules[__name__])


# --- refusals


def test_a_refusal_names_path_type_reason_and_what_to_do():
    text = refusal(Holder(cfg={"k": [hashlib.sha256()]}))
    assert text.startswith("self.cfg['k'][0]: _hashlib.HASH cannot travel; keep what goes into it, or its digest")
    text = refusal(Holder(cfg={"k": [select.poll()], "odd": Refusing(RuntimeError)}))
    assert text.startswith("self.cfg['k'][0]: select.poll cannot travel; ")
    text = refusal(Holder(odd=Refusing(lambda: RuntimeError("not today"))))
    assert text.endswith(
        "cannot travel; make it in the child, in __preloop__ for instance, or leave it out of the state "
        "(RuntimeError: not today)"
    )


def bound() -> Any:
    return Holder(handle=hashlib.sha256()).__init__  # type: ignore[misc]


HASH = hashlib.sha256()


def reaching_a_global() -> Any:
    return HASH.digest_size


@pytest.mark.parametrize(
    ("make", "path"),
    [
        (hashlib.sha256, "self: "),
        (lambda: [1, (2, hashlib.sha256())], "self[1][1]: "),
        (lambda: {1: {"two": hashlib.sha256()}}, "self[1]['two']: "),
        (lambda: Holder(inner=Holder(inner=Holder(handle=hashlib.sha256()))), "self.inner.inner.handle: "),
        (lambda: Slotted(hashlib.sha256()), "self.handle: "),
        (lambda: Derived(hashlib.sha256()), "self.handle: "),
        (lambda: {frozenset(), (1, 2)} | {Frozen()}, "self{...}.handle: "),
        (lambda: Holder(work=closing_over(hashlib.sha256())), "self.work: the variable 'value' of its closure: "),
        (lambda: Holder(work=reaching_a_global), "self.work: the global 'HASH': "),
        (lambda: Holder(work=bound()), "self.work.__self__.handle: "),
        (lambda: Holder(rows=[Holder()] * 3, steps=(number for number in range(3))), "self.steps: builtins.generator"),
        (lambda: Holder(fine=1, worse=hashlib.sha256(), bad=hashlib.md5()), "self.worse: "),  # noqa: S324
    ],
)
@pytest.mark.requirement("P10")
def test_the_path_leads_to_what_cannot_travel(make: Callable[[], Any], path: str):
    assert refusal(make()).startswith(path)


class Frozen:
    """In a set."""

    def __init__(self) -> None:
        self.handle = hashlib.sha256()


@pytest.mark.requirement("P10")
def test_a_socket_is_refused():
    with socket.socket() as made:
        assert refusal(Holder(link=made)).startswith("self.link: socket.socket cannot travel")


@pytest.mark.requirement("P10")
def test_a_refused_iterator_is_not_advanced():
    def steps() -> Iterator[int]:
        yield 1
        yield 2

    generator, rows = steps(), iter([1, 2, 3])
    refusal(Holder(steps=generator, rows=rows))
    assert (next(generator), next(rows)) == (1, 1)


@pytest.mark.parametrize(
    "error", [SystemExit, Quiet, GeneratorExit, RuntimeError, Mute, lambda: ValueError("one\ntwo")]
)
def test_whatever_a_reduce_does_it_is_a_refusal_with_the_path(error: Callable[[], BaseException]):
    text = refusal(Holder(part=Refusing(error)))
    assert text.startswith(f"self.part: {__name__}.Refusing cannot travel")
    assert "\n" not in text


@pytest.mark.parametrize("error", [KeyboardInterrupt, MemoryError])
def test_an_interrupt_and_a_lack_of_memory_are_no_refusals(error: type[BaseException]):
    with pytest.raises(error):
        dumps(Holder(part=Refusing(error)), "self")


def test_an_error_of_ours_passes_as_it_is():
    with pytest.raises(NameTaken):
        dumps(Refusing(lambda: NameTaken("x")), "self")


class Unprintable:
    """A key that cannot be shown."""

    def __repr__(self) -> str:
        raise RuntimeError("no repr")


def with_an_empty_cell() -> Any:
    def work() -> Any:
        return later, handle  # noqa: F821 - that it is gone is the point

    later, handle = 1, hashlib.sha256()
    del later
    return work


def test_what_cannot_be_looked_into_is_named_as_a_whole():
    assert refusal(Holder(table={Unprintable(): hashlib.sha256()})).startswith("self.table")
    assert refusal(Holder(work=with_an_empty_cell())).startswith("self.work")


def test_a_circle_ends_at_what_does_not_travel():
    ring = Holder(handle=hashlib.sha256())
    ring.next = Holder(next=ring)  # type: ignore[attr-defined]
    assert "cannot travel" in refusal(ring)


def test_what_is_nested_too_deep_is_refused():
    deep: Any = None
    for _ in range(100_000):
        deep = [deep]
    assert "recursion" in refusal(Holder(deep=deep))


@pytest.mark.fault("F14")
@pytest.mark.parametrize("kind", [bytes, bytearray])
def test_long_bytes_leave_as_they_are_beside_a_pickle_that_any_unpickler_opens(kind: type[Any]):
    value = kind(b"\x07" * 100_000)
    small, beside = dump_frames(value, "result")
    assert beside is value
    assert len(small) < 100
    for made in (loads([small, memoryview(bytes(value))]), pickle.loads(small, buffers=[bytes(value)])):
        assert (type(made), made) == (kind, value)


@pytest.mark.fault("F14")
def test_bytes_within_something_are_a_part_of_the_one_pickle():
    assert len(dump_frames([bytes(100_000)], "result")) == 1


@pytest.mark.fault("F12")
def test_what_interrupts_a_pickle_passes_and_is_no_refusal():
    class Held:
        def __reduce__(self) -> Any:
            raise Interruption

    with pytest.raises(Interruption):
        dump_frames([Held()], "result")


def test_nothing_is_held_of_what_was_pickled():
    """Neither its memory nor, what up to Python 3.12.6 would be a crash, exports of its memoryviews."""
    held = Exporting(bytearray(100_000))
    there: list[weakref.ref[Any]] = [weakref.ref(held), weakref.ref(held.view)]
    gc.disable()
    try:
        frames = dump_frames({"held": held}, "message")
        assert [len(frame) for frame in frames[1:]] == [100_000]
        assert loads(frames)["held"].view == held.view
        del frames, held
        assert [one() for one in there] == [None, None]
    finally:
        gc.enable()


def test_nothing_is_held_of_what_could_not_be_pickled():
    held = Exporting(bytearray(10))
    there = weakref.ref(held)
    gc.disable()
    try:
        with pytest.raises(SerializationError):
            dump_frames([held, Refusing(ValueError)], "message")
        del held
        assert there() is None
    finally:
        gc.enable()
