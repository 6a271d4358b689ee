"""The path to what cannot travel is the whole way, in words where there are no attributes; and it is found soon."""

from __future__ import annotations

import functools
import hashlib
import queue
import time
import types

import numpy as np
import pytest

from understudy import Process, SerializationError
from understudy.wire.pickling import dumps

pytestmark = [pytest.mark.requirement("P10"), pytest.mark.fault("F4")]


class Holds(Process):
    def __init__(self, **things):
        self.__dict__.update(things)

    def __loop__(self): ...


class Thing:
    """A user's object."""

    def __init__(self, **things):
        self.__dict__.update(things)


def numbers():
    yield from (1, 2, 3)


def closes_over(db, depth=0):
    def work():
        return db

    def deeper():
        return work()

    return deeper if depth else work


def with_default(n, db=None):
    return n, db


def has_an_attribute(value):
    def work(): ...

    work.cache = value
    return work


class Slotted:
    __slots__ = ("__db", "db")

    def __init__(self, db):
        self.__db = db


def class_with(value):
    class Client:
        db = value

    return Client


def kept_by_a_property(value):
    return property(closes_over(value))


class Pair(tuple):
    __slots__ = ()
    _fields = ("left", "right")


def the_bad():
    return hashlib.sha256()


PATHS = [
    (lambda bad: {"db": bad}, "self.thing['db']"),
    (lambda bad: [1, (2, {3: bad})], "self.thing[1][1][3]"),
    (lambda bad: {(1, bad): 2}, "self.thing: the key (1, <"),
    (lambda bad: Thing(a=Thing(b=[bad])), "self.thing.a.b[0]"),
    (Slotted, "self.thing.__db"),
    (lambda bad: Pair((1, bad)), "self.thing.right"),
    (lambda bad: queue_of(bad), "self.thing.queue[0]"),
    (closes_over, "self.thing: the variable 'db' of its closure"),
    (
        lambda bad: closes_over([bad], 1),
        "self.thing: the variable 'work' of its closure, the variable 'db' of its closure, at [0]",
    ),
    (lambda bad: functools.partial(with_default, 1, db=bad), "self.thing.keywords['db']"),
    (
        lambda bad: types.FunctionType(with_default.__code__, {}, "f", (bad,)),
        "self.thing: the default number 1 of its parameters",
    ),
    (has_an_attribute, "self.thing.cache"),
    (class_with, "self.thing: the attribute 'db' of the class"),
    (lambda bad: class_with(bad)(), "self.thing: the class of it, the attribute 'db' of the class"),
    (kept_by_a_property, "self.thing.fget: the variable 'db' of its closure"),
    (lambda bad: Thing(bad=bad).__init__, "self.thing.__self__.bad"),
    (lambda bad: iter([bad]), "self.thing: the thing that it iterates over, at [0]"),
    (lambda bad: ValueError("x", bad), "self.thing.args[1]"),
    (lambda bad: types.MappingProxyType({"a": bad}), "self.thing['a']"),
    (lambda bad: np.array([1, bad], dtype=object), "self.thing.flat[1]"),
    (lambda bad: {frozenset({bad})}, "self.thing{...}{...}"),
]  # fmt: skip


def queue_of(bad):
    made = queue.Queue()
    made.put(bad)
    return made


@pytest.mark.parametrize(("make", "path"), PATHS, ids=lambda value: value if isinstance(value, str) else "")
def test_the_path_is_the_whole_way(make, path):
    with pytest.raises(SerializationError) as caught:
        dumps(Holds(fine=[1], thing=make(the_bad())), "self")
    told, _, rest = str(caught.value).partition(": _hashlib.HASH cannot travel; ")
    assert rest
    assert told.startswith(path) if path.endswith("<") else told == path


def works_with(*args, **kwargs): ...


HANDLE = hashlib.sha256()


def uses_a_global():
    return HANDLE


def test_of_a_function_the_argument_is_named(system):
    for call, path in [
        (lambda: system.spawn(works_with, Thing(db=the_bad())), "args[0].db: "),
        (lambda: system.spawn(works_with, x=the_bad()), "kwargs['x']: "),
        (lambda: system.spawn(closes_over(the_bad())), "function: the variable 'db' of its closure: "),
        (lambda: system.spawn(uses_a_global), "function: the global 'HANDLE': "),
    ]:
        with pytest.raises(SerializationError) as caught:
            call()
        assert str(caught.value).startswith(path), caught.value


def test_a_method_of_a_class_by_value_leads_to_the_global_that_it_uses():
    class Uses(Process):
        def __loop__(self):
            return HANDLE

    with pytest.raises(
        SerializationError,
        match=r"the attribute '__loop__' of the class, the global 'HANDLE': ",
    ):
        dumps(Uses(), "self")


def test_where_no_attribute_leads_to_it_the_nearest_is_named():
    class Sealed:
        def __reduce__(self):
            return list, ([numbers()],)

    with pytest.raises(SerializationError, match=r"^self\.inner\[0\]: builtins\.generator cannot travel; "):
        dumps(Holds(inner=[Sealed()]), "self")


@pytest.mark.parametrize("rows", [{n: {"n": n} for n in range(50_000)}, [bytes(100_000)] * 500], ids=["many", "big"])
def test_a_refusal_of_a_large_state_does_not_keep_the_caller_waiting(rows):
    """A second is promised on a machine that is not busy."""
    began = time.process_time()
    with pytest.raises(SerializationError, match=r"^self\.z\[0\]: "):
        dumps(Holds(rows=rows, z=[the_bad()]), "self")
    assert time.process_time() - began < 5
