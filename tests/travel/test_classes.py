"""Classes and their objects arrive as they were: slots, names, enums, metaclasses, and what is one of a kind."""

from __future__ import annotations

import abc
import collections
import dataclasses
import enum
import inspect
import typing

import pytest

from tests.travel.carrying import Kind, carry

pytestmark = pytest.mark.requirement("P10")


class Colour(enum.Enum):
    RED = 1
    CRIMSON = 1  # noqa: PIE796 - an alias
    GREEN = "green"

    @property
    def loud(self):
        return self.name.upper() + "!"


class Planet(enum.Enum):
    EARTH = (5.9, 6.3)
    MARS = (0.6, 3.3)

    def __init__(self, mass, radius):
        self.mass = mass
        self.radius = radius


class Code(enum.Enum):
    def __new__(cls, value, label):
        made = object.__new__(cls)
        made._value_ = value
        made.label = label
        return made

    OK = (200, "fine")
    LOST = (404, "not found")


class Rights(enum.Flag):
    READ = enum.auto()
    WRITE = enum.auto()
    ALL = READ | WRITE


class Size(enum.IntEnum):
    SMALL = 1
    LARGE = 10


class Word(enum.StrEnum):
    YES = "yes"


class Slotted:
    __slots__ = ("__hidden", "__weakref__", "shown", "unset")

    def __init__(self):
        self.shown, self.__hidden = 1, 2

    def all(self):
        return self.shown, self.__hidden, hasattr(self, "unset"), hasattr(self, "__dict__")


class OneSlot:
    __slots__ = "only"  # noqa: PLC0205 - one may write it so


@dataclasses.dataclass(frozen=True, slots=True, order=True)
class Point:
    x: int
    y: int = 0
    tags: list = dataclasses.field(default_factory=list, compare=False)


@dataclasses.dataclass
class Record:
    name: str
    rows: list = dataclasses.field(default_factory=list)
    kind: dataclasses.InitVar[str] = "plain"

    def __post_init__(self, kind):
        self.made_of = kind


class Outer:
    class Inner:
        class Core:
            depth = 2


class Meta(type):
    def __call__(cls, *args):
        made = super().__call__(*args)
        made.stamped = cls.__name__
        return made

    def describe(cls):
        return f"a class {cls.__name__}"


class Stamped(metaclass=Meta):
    def __init__(self, value=0):
        self.value = value


class Shape(abc.ABC):
    @abc.abstractmethod
    def area(self): ...

    def __init_subclass__(cls, **options):
        super().__init_subclass__(**options)
        cls.registered = True


class Square(Shape):
    def __init__(self, side):
        self.side = side

    def area(self):
        return self.side**2


class Plugin:
    known: typing.ClassVar = {}

    def __init_subclass__(cls, /, key, **options):
        super().__init_subclass__(**options)
        cls.key = key
        Plugin.known[key, cls.order] = cls


class Printer(Plugin, key="print"):
    order = 1


class Typed:
    """A descriptor."""

    def __set_name__(self, owner, name):
        self.name = "_" + name

    def __get__(self, obj, owner=None):
        return self if obj is None else getattr(obj, self.name)

    def __set__(self, obj, value):
        setattr(obj, self.name, int(value))


class Described:
    number = Typed()

    def __init__(self, number):
        self.number = number


class Base:
    def greet(self):
        return "base"


class Derived(Base):
    def greet(self):
        return super().greet() + " and derived"


T = typing.TypeVar("T")


class Box(typing.Generic[T]):
    def __init__(self, item):
        self.item = item


class Place(typing.NamedTuple):
    name: str
    height: int = 0


Pair = collections.namedtuple("Pair", "left right")  # noqa: PYI024 - the other one is above


class Movie(typing.TypedDict):
    title: str


class Rows(list):
    def __init__(self, items, label):
        super().__init__(items)
        self.label = label


class Table(dict):
    def __missing__(self, key):
        return f"no {key}"


class Money(int):
    unit = "EUR"

    def __new__(cls, value, note):
        made = super().__new__(cls, value)
        made.note = note
        return made

    def __getnewargs__(self):
        return int(self), self.note


class OwnWay:
    def __init__(self, path):
        self.path, self.handle = path, (number for number in range(3))

    def __getstate__(self):
        return {"path": self.path}

    def __setstate__(self, state):
        self.__init__(**state)


class ByReduce:
    def __init__(self, path):
        self.path, self.handle = path, (number for number in range(3))

    def __reduce__(self):
        return ByReduce, (self.path,)


def local_class(_):
    factor = 3

    class Local:
        count = 0

        def __init__(self, number):
            Local.count += 1
            self.number = number

        def scaled(self):
            return self.number * factor

    return Local


def use_local(kind):
    made = kind(2)
    return made.scaled(), kind.count, kind.__qualname__


def local_enum(_):
    class Mood(enum.Enum):
        GOOD = 1
        BAD = 2

    return {"kind": Mood, "members": [Mood.GOOD, Mood.GOOD, Mood.BAD]}


def use_local_enum(made):
    kind, (good, same, bad) = made["kind"], made["members"]
    return good is same is kind.GOOD is kind(1) is kind["GOOD"], bad is kind.BAD, good in kind, good != bad


KINDS = [
    Kind(
        "class that its base was told of",
        lambda _: Printer(),
        lambda made: (made.key, list(made.known) == [("print", 1)], made.known["print", 1] is type(made)),
        ("print", True, True),
    ),
    Kind("enum", lambda _: Colour.RED, lambda one: (one is type(one).RED, one.loud), (True, "RED!")),
    Kind(
        "alias in an enum",
        lambda _: Colour,
        lambda kind: (kind.CRIMSON is kind.RED, [*kind.__members__]),
        (True, ["RED", "CRIMSON", "GREEN"]),
    ),
    Kind(
        "enum with an init",
        lambda _: [Planet.MARS, Planet],
        lambda pair: (pair[0].mass, pair[1].EARTH.radius),
        (0.6, 6.3),
    ),
    Kind(
        "enum with a new",
        lambda _: Code.LOST,
        lambda one: (one.value, one.label, type(one)(200).label),
        (404, "not found", "fine"),
    ),
    Kind(
        "flag",
        lambda _: Rights.READ | Rights.WRITE,
        lambda one: (one is type(one).ALL, (one & ~type(one).READ).name),
        (True, "WRITE"),
    ),
    Kind(
        "whole enum",
        lambda _: Size.LARGE,
        lambda one: (one + 1, one is type(one).LARGE, [*type(one)][-1]),
        (11, True, 10),
    ),
    Kind("string enum", lambda _: Word.YES, lambda one: (one.upper(), one is type(one)("yes")), ("YES", True)),
    Kind(
        "enum of a library",
        lambda _: inspect._ParameterKind.VAR_KEYWORD,
        lambda one: one is inspect._ParameterKind.VAR_KEYWORD,
        True,
    ),
    Kind("local enum", local_enum, use_local_enum, (True, True, True, True)),
    Kind("slots", lambda _: Slotted(), lambda made: made.all(), (1, 2, False, False)),
    Kind("class with slots", lambda _: Slotted, lambda kind: kind().all(), (1, 2, False, False)),
    Kind(
        "one slot",
        lambda _: OneSlot(),
        lambda made: hasattr(made, "__dict__") or setattr(made, "only", 1) or made.only,
        1,
    ),
    Kind(
        "frozen dataclass with slots",
        lambda _: Point(1, 2, ["t"]),
        lambda made: (made.x, made.y, made.tags, hasattr(made, "__dict__"), made < type(made)(2)),
        (1, 2, ["t"], False, True),
    ),
    Kind(
        "dataclass",
        lambda _: Record("a"),
        lambda made: (dataclasses.asdict(made), made.made_of),
        ({"name": "a", "rows": []}, "plain"),
    ),
    Kind(
        "class of a dataclass",
        lambda _: Record,
        lambda kind: (kind("b", kind="other").made_of, kind("c").rows),
        ("other", []),
    ),
    Kind(
        "nested class",
        lambda _: Outer.Inner.Core,
        lambda kind: (kind.__qualname__, kind.depth),
        ("Outer.Inner.Core", 2),
    ),
    Kind("local class", local_class, use_local, (6, 1, "local_class.<locals>.Local")),
    Kind(
        "metaclass",
        lambda _: Stamped(3),
        lambda made: (made.stamped, type(made)(4).stamped, type(made).describe()),
        ("Stamped", "Stamped", "a class Stamped"),
    ),
    Kind(
        "abstract class",
        lambda _: Square(3),
        lambda made: (made.area(), made.registered, isinstance(made, type(made).__mro__[1])),
        (9, True, True),
    ),
    Kind(
        "descriptor",
        lambda _: Described("7"),
        lambda made: (made.number, setattr(made, "number", "8"), made.number),
        (7, None, 8),
    ),
    Kind("derived class", lambda _: Derived(), lambda made: made.greet(), "base and derived"),
    Kind("generic class", lambda _: Box(1), lambda made: (made.item, type(made)[int](2).item), (1, 2)),
    Kind(
        "named tuple",
        lambda _: Place("K2", 8611),
        lambda made: (made.height, made._replace(height=1), made.name),
        (8611, ("K2", 1), "K2"),
    ),
    Kind("namedtuple", lambda _: Pair(1, 2), lambda made: (made.right, type(made).__name__), (2, "Pair")),
    Kind("typed dict", lambda _: Movie, lambda kind: kind(title="M"), {"title": "M"}),
    Kind("list of a class", lambda _: Rows([1], "r"), lambda made: (made[0], made.label), (1, "r")),
    Kind("dict of a class", lambda _: Table(a=1), lambda made: (made["a"], made["b"]), (1, "no b")),
    Kind(
        "number of a class", lambda _: Money(3, "tip"), lambda made: (made + 1, made.unit, made.note), (4, "EUR", "tip")
    ),
    Kind(
        "own state",
        lambda _: OwnWay("/p"),
        lambda made: (made.path, next(made.handle)),
        ("/p", 0),
        lambda made: next(made.handle),
        0,
    ),
    Kind("own reduction", lambda _: ByReduce("/p"), lambda made: (made.path, next(made.handle)), ("/p", 0)),
    Kind(
        "type variable", lambda _: typing.TypeVar("T", bound=int), lambda one: (one.__name__, one.__bound__), ("T", int)
    ),
    Kind("union of types", lambda _: int | None, lambda one: isinstance(None, one), True),
    Kind("generic alias", lambda _: dict[str, int], lambda one: one.__args__, (str, int)),
]


@pytest.fixture(scope="module")
def verdicts(tmp_path_factory):
    return carry(KINDS, tmp_path_factory.mktemp("classes"))


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_it_arrives_as_it_was(kind, verdicts):
    assert not verdicts[kind.name]
