"""Plain values, memory, chance, modules, errors and refs arrive equal, and do there what they did here."""

from __future__ import annotations

import array
import collections
import ctypes
import ctypes.wintypes
import datetime as dt
import decimal
import fractions
import functools
import ipaddress
import itertools
import json
import logging
import os
import pathlib
import random
import re
import string
import struct
import sys
import traceback
import types
import uuid
import xml.etree.ElementTree as ET
import zoneinfo

import numpy as np
import pytest

from tests.travel.carrying import Kind, carry
from understudy import Status, Timer

pytestmark = pytest.mark.requirement("P10")


def view_of_a_matrix(_):
    return memoryview(bytearray(range(12))).cast("B", (3, 4))


def write_into(view):
    view[0, 0] = 99
    return view.tolist()[0], view.format, view.shape


def seeded(make, draws):
    """It goes on from where it was, which is the same here."""
    made = make()
    draws(made)
    return made


def module_by_value(_):
    made = types.ModuleType("made_by_hand")
    exec("factor = 3\ndef times(number):\n    return number * factor", vars(made))  # noqa: S102
    return made


class Wants(Exception):
    """Its arguments are not what its `__init__` takes."""

    def __init__(self, host, *, port):
        super().__init__(f"no way to {host}")
        self.host, self.port = host, port


def raised(_):
    try:
        try:
            raise KeyError("inner")
        except KeyError as inner:
            raise Wants("db", port=5432) from inner
    except Wants as error:
        error.add_note("while testing")
        return error


def look_at_error(error):
    text = "".join(traceback.format_exception(error))
    return (
        error.host,
        error.port,
        repr(error.__cause__),
        error.__notes__[0],
        "in raised" in text,
        'raise Wants("db", port=5432) from inner' in text,
    )


def timer(_):
    made = Timer()
    made.add_time(2.0)
    return made


def chained(_):
    return collections.ChainMap({"a": 1}, {"a": 2, "b": 3})


def template(_):
    return string.Template("hello, $who")


def ordered(_):
    made = collections.OrderedDict(a=1, b=2)
    made.move_to_end("a")
    return made


def limited(_):
    return collections.deque([1, 2, 3], maxlen=3)


def own_logger(_):
    made = logging.getLogger("tests.travel.own")
    made.setLevel(logging.ERROR)
    return made


def element(_):
    return ET.fromstring("<a><b c='d'>text</b></a>")  # noqa: S314


class Counts(dict):
    """A dict that makes what is missing by a function of its own."""

    def __init__(self, make):
        self.make = make

    def __missing__(self, key):
        return self.make(key)


def drawn(generator):
    return int(generator.integers(10**6))


NEXT = seeded(lambda: random.Random(7), lambda one: one.random()).randrange(10**6)
DRAWN = drawn(np.random.default_rng(7))
DATE = dt.datetime(2024, 2, 29, 12, tzinfo=zoneinfo.ZoneInfo("Europe/Berlin"))

KINDS = [
    Kind("environment", lambda _: os.environ, lambda made: made is os.environ, True),
    Kind("pattern", lambda _: re.compile(r"(\d+)-(?P<b>x)", re.IGNORECASE), lambda made: made.match("12-X")["b"], "X"),
    Kind("memoryview", view_of_a_matrix, write_into, ([99, 1, 2, 3], "B", (3, 4)), lambda view: view[0, 0], 0),
    Kind(
        "memoryview of bytes", lambda _: memoryview(b"abc"), lambda made: (bytes(made), made.readonly), (b"abc", False)
    ),
    Kind("memoryview with gaps", lambda _: memoryview(b"abcdef")[::2], lambda made: bytes(made), b"ace"),
    Kind("memoryview of numbers", lambda _: memoryview(array.array("d", [1.5, 2])), lambda made: made[0], 1.5),
    Kind("empty memoryview", lambda _: memoryview(b""), lambda made: (bytes(made), made.format), (b"", "B")),
    Kind("bytearray", lambda _: bytearray(b"ab"), lambda made: made.append(99) or bytes(made), b"abc"),
    Kind("array", lambda _: array.array("i", [1, 2]), lambda made: made.append(3) or list(made), [1, 2, 3]),
    Kind("numpy array", lambda _: np.arange(6).reshape(2, 3).T, lambda made: made.tolist(), [[0, 3], [1, 4], [2, 5]]),
    Kind(
        "random",
        lambda _: seeded(lambda: random.Random(7), lambda one: one.random()),
        lambda made: made.randrange(10**6),
        NEXT,
        lambda made: made.randrange(10**6),
        NEXT,
    ),
    Kind("random of the system", lambda _: random.SystemRandom(), lambda made: 0 <= made.random() < 1, True),
    Kind("numpy generator", lambda _: np.random.default_rng(7), drawn, DRAWN, drawn, DRAWN),
    Kind("module", lambda _: json, lambda made: made is sys.modules["json"], True),
    Kind("module made by hand", module_by_value, lambda made: (made.times(2), made.__name__), (6, "made_by_hand")),
    Kind(
        "read-only mapping",
        lambda _: types.MappingProxyType({"a": 1}),
        lambda made: (made["a"], type(made).__name__),
        (1, "mappingproxy"),
    ),
    Kind("namespace", lambda _: types.SimpleNamespace(a=1), lambda made: made.a, 1),
    Kind("struct", lambda _: struct.Struct("<ih"), lambda made: made.unpack(made.pack(1, 2)), (1, 2)),
    Kind("shared library", lambda _: ctypes.CDLL(None), lambda made: made.abs(-3), 3),
    Kind("structure of C", lambda _: ctypes.wintypes.POINT(1, 2), lambda made: made.y, 2),
    Kind("decimal", lambda _: decimal.Decimal("1.10"), str, "1.10"),
    Kind("fraction", lambda _: fractions.Fraction(1, 3), str, "1/3"),
    Kind(
        "date with a zone",
        lambda _: DATE,
        lambda made: (made.isoformat(), made.tzinfo.key),
        (DATE.isoformat(), "Europe/Berlin"),
    ),
    Kind("path", lambda _: pathlib.Path("/srv/a"), lambda made: made.name, "a"),
    Kind("uuid", lambda _: uuid.UUID(int=5), lambda made: made.int, 5),
    Kind("network", lambda _: ipaddress.ip_network("10.0.0.0/8"), lambda made: made.num_addresses, 2**24),
    Kind("complex", lambda _: 1 + 2j, lambda made: made.imag, 2.0),
    Kind("slice", lambda _: slice(1, 3), lambda made: "abcd"[made], "bc"),
    Kind("defaultdict", lambda _: collections.defaultdict(lambda: 7), lambda made: made["x"], 7),
    Kind("dict with a function", lambda _: Counts(lambda key: key * 2), lambda made: made["a"], "aa"),
    Kind("counter", lambda _: collections.Counter("aab"), lambda made: made.most_common(1), [("a", 2)]),
    Kind("ordered dict", ordered, list, ["b", "a"]),
    Kind("deque", limited, lambda made: made.append(4) or list(made), [2, 3, 4]),
    Kind("chained maps", chained, lambda made: (made["a"], made["b"]), (1, 3)),
    Kind("keys of a dict", lambda _: {"a": 1}.keys(), lambda made: "a" in made, True),
    Kind("template", template, lambda made: made.substitute(who="you"), "hello, you"),
    Kind("element", element, lambda made: made[0].attrib, {"c": "d"}),
    Kind("error", raised, look_at_error, ("db", 5432, "KeyError('inner')", "while testing", True, True)),
    Kind(
        "group of errors",
        lambda _: ExceptionGroup("all", [raised(_), ValueError(1)]),
        lambda made: [type(one).__name__ for one in made.exceptions],
        ["Wants", "ValueError"],
    ),
    Kind(
        "error that was not raised",
        lambda _: Wants("db", port=1),
        lambda made: (made.port, hasattr(made, "__notes__")),
        (1, False),
    ),
    Kind("class of an error", lambda _: Wants, lambda kind: kind("db", port=1).port, 1),
    Kind("logger", own_logger, lambda made: (made is logging.getLogger("tests.travel.own"), made.level), (True, 40)),
    Kind(
        "adapter of a logger",
        lambda _: logging.LoggerAdapter(own_logger(_), {"a": 1}),
        lambda made: (made.extra, made.name),
        ({"a": 1}, "tests.travel.own"),
    ),
    Kind(
        "formatter",
        lambda _: logging.Formatter("%(message)s!"),
        lambda made: made.format(logging.makeLogRecord({"msg": "hi"})),
        "hi!",
    ),
    Kind("timer", timer, lambda made: (made.num_times, made.total), (1, 2.0)),
    Kind("status", lambda _: Status.RUNNING, lambda made: made is Status.RUNNING, True),
    Kind(
        "group by a function",
        lambda _: functools.reduce,
        lambda made: made(lambda a, b: a + b, itertools.repeat(2, 3)),
        6,
    ),
]


@pytest.fixture(scope="module")
def verdicts(tmp_path_factory):
    return carry(KINDS, tmp_path_factory.mktemp("values"))


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_it_arrives_equal(kind, verdicts):
    assert not verdicts[kind.name]
