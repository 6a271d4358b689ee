"""Objects of derived classes arrive with their contents and with what hangs on them, also if a module holds them."""

from __future__ import annotations

import ctypes
import dataclasses
import functools
import io
import tempfile
import weakref

import pytest

from tests.travel import holding
from tests.travel.carrying import Kind, carry
from understudy.wire.pickling import dumps, loads

pytestmark = pytest.mark.requirement("P10")


def of_its_own(name, _):
    return filled(name, holding.kind_of(name), hung=True)


def bare(name, _):
    return filled(name, holding.kind_of(name), hung=False)


def filled(name, kind, *, hung):
    sort = holding.SORTS[name]
    made = sort.make(kind)
    sort.fill(made)
    return holding.hang(made) if hung else made


def bare_global(name, _):
    made = vars(holding)[f"BARE_{holding.kind_of(name).__name__}"]
    holding.SORTS[name].fill(made)
    return made


def tagged_global(name, _):
    made = vars(holding)[f"TAGGED_{holding.kind_of(name).__name__}"]
    holding.SORTS[name].fill(made)
    return holding.hang(made)


class Shows:
    """The same there as here, whatever that is."""

    def __init__(self):
        self.here = None

    def __eq__(self, there):
        return self.here == there

    def __hash__(self):
        return hash(repr(self.here))

    def __repr__(self):
        return repr(self.here)


def sort(name, make):
    gives = Shows()

    def made(folder):
        one = make(name, folder)
        gives.here = holding.shown(name, one)
        return one

    return Kind(f"{name}, {make.__name__}", made, functools.partial(holding.shown, name), gives)


class Values(weakref.WeakValueDictionary):
    pass


class Keys(weakref.WeakKeyDictionary):
    pass


class Set(weakref.WeakSet):
    pass


class Ref(weakref.ref):
    pass


class SlotRef(weakref.ref):
    __slots__ = ("key",)

    def __new__(cls, target, _):
        return super().__new__(cls, target)

    def __init__(self, target, key):
        super().__init__(target)
        self.key = key


class Method(weakref.WeakMethod):
    pass


class Target:
    def method(self):
        return "called"


def weakly(make):
    def made(_):
        target = Target()
        reference = make(target)
        reference.tag = [1]
        return target, reference

    return made


def weak_slot(_):
    target = Target()
    return target, SlotRef(target, ["key"])


def held_by_an_attribute(_):
    target = Target()
    made = Values(a=target)
    made.tag = target
    return made


class Folder(tempfile.TemporaryDirectory):
    pass


def temporary_file(_):
    made = tempfile.NamedTemporaryFile("w+")
    made.write("one")
    made.tag = 5
    return made


def temporary_folder(folder):
    made = Folder(dir=folder)
    made.tag = 5
    return made


def library(_):
    made = ctypes.CDLL(None, use_errno=True)
    made.strerror.restype = ctypes.c_char_p
    made.strerror.argtypes = [ctypes.c_int]
    made.frexp.restype = ctypes.c_double
    made.frexp.argtypes = [ctypes.c_double, ctypes.POINTER(ctypes.c_int)]
    made.labs.errcheck = lambda result, function, arguments: ("checked", result)
    made.pipe.argtypes = [ctypes.c_int * 2]
    made.tag = 5
    return made


def call(made):
    ctypes.set_errno(0)
    made.close(-1)
    exponent = ctypes.c_int()
    fraction = made.frexp(8.0, ctypes.byref(exponent))
    same = made.pipe.argtypes[0] is ctypes.c_int * 2
    return made.strerror(2), ctypes.get_errno(), fraction, exponent.value, made.labs(-3), same, made.tag


def without_errno(_):
    return ctypes.PyDLL(None)


def errno_of(made):
    ctypes.set_errno(0)
    made.close(-1)
    return ctypes.get_errno(), type(made).__name__


def set_later(_):
    holding.LATER = holding.Unset()
    return holding.LATER


def set_to_another(_):
    holding.OTHER = holding.UnsetSlots()
    return holding.OTHER


MAKERS = (bare, of_its_own, bare_global, tagged_global)
ALL = [
    *(sort(name, make) for name in holding.SORTS for make in MAKERS),
    Kind("weak values", weakly(lambda one: Values(a=one)), lambda made: (len(made[1]), made[1].tag), (1, [1])),
    Kind("weak keys", weakly(lambda one: Keys({one: 1})), lambda made: (len(made[1]), made[1].tag), (1, [1])),
    Kind("weak set", weakly(lambda one: Set([one])), lambda made: (len(made[1]), made[1].tag), (1, [1])),
    Kind("weak reference", weakly(Ref), lambda made: (made[1]() is made[0], made[1].tag), (True, [1])),
    Kind(
        "weak method", weakly(lambda one: Method(one.method)), lambda made: (made[1]()(), made[1].tag), ("called", [1])
    ),
    Kind("weak reference with a slot", weak_slot, lambda made: (made[1]() is made[0], made[1].key), (True, ["key"])),
    Kind("weak values, held by an attribute", held_by_an_attribute, lambda made: made["a"] is made.tag, True),
    Kind("temporary file", temporary_file, lambda made: (made.seek(0), made.read(), made.tag), (0, "one", 5)),
    Kind("temporary folder", temporary_folder, lambda made: (type(made).__name__, made.tag), ("Folder", 5)),
    Kind("library", library, call, (b"No such file or directory", 9, 0.5, 4, ("checked", 3), True, 5)),
    Kind("library without errno", without_errno, errno_of, (0, "PyDLL")),
    Kind("sentinel", lambda _: holding.UNSET, lambda made: made is holding.UNSET, True),
    Kind("sentinel with slots", lambda _: holding.UNSET_SLOTS, lambda made: made is holding.UNSET_SLOTS, True),
    Kind("global set later", set_later, lambda made: type(made) is holding.Unset, True),
    Kind("global that was another", set_to_another, lambda made: type(made) is holding.UnsetSlots, True),
]


class Packed:
    """In a pickle of its own, so that one that fails takes no other along."""

    def __init__(self, thing):
        self.thing = thing
        self.pickle = dumps(thing, "it")

    def __reduce__(self):
        return bytes, (self.pickle,)

    def close(self):
        if isinstance(self.thing, tempfile.TemporaryDirectory):
            self.thing.cleanup()
        elif isinstance(self.thing, io.StringIO) or hasattr(self.thing, "file"):
            self.thing.close()


def packed(kind):
    return dataclasses.replace(
        kind,
        make=lambda folder: Packed(kind.make(folder)),
        use=lambda pickle: kind.use(loads([pickle])),
    )


KINDS = [packed(kind) for kind in ALL]


@pytest.fixture(
    scope="session"
)  # what was carried is closed: a worker that leaves the module and comes back has it once
def verdicts(tmp_path_factory):
    return carry(KINDS, tmp_path_factory.mktemp("subclasses"))


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_it_arrives_with_all_that_is_its_own(kind, verdicts):
    assert not verdicts[kind.name]
