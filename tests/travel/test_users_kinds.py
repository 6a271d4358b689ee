"""What users say of their own kinds counts: by travels(), copyreg, `__reduce__` and `__getstate__`."""

from __future__ import annotations

import copyreg
import decimal
import queue
import threading

import pytest

from understudy import ConfigError, Process, SerializationError, travels
from understudy.wire.pickling import dump_frames, dumps, loads
from understudy.wire.travelling import table

pytestmark = pytest.mark.requirement("P10")


class Connection:
    """Somebody else's: it holds what cannot travel."""

    def __init__(self, address):
        self.address = address
        self.stream = (number for number in range(3))


class Pooled(Connection):
    """Derived from it."""


@pytest.fixture
def forgotten():
    """What a test says of a kind is said for that test only."""
    users, registered = dict(table._users), dict(copyreg.dispatch_table)
    yield
    table._users.clear()
    table._users.update(users)
    table._known.clear()
    copyreg.dispatch_table.clear()
    copyreg.dispatch_table.update(registered)


def through(thing):
    opened = loads([dumps([thing, {"again": thing}], "self")])
    assert opened[1]["again"] is opened[0]
    return opened[0]


def reconnected(address):
    return Connection(address)


class Uses(Process):
    def __init__(self, connection):
        self.connection = connection
        self.config.num_loops = 1

    def __loop__(self):
        self.first = next(self.connection.stream)

    def __result__(self):
        return self.connection.address, self.first


def test_a_kind_can_be_added_and_travels_to_an_actor(system, forgotten):
    with pytest.raises(SerializationError, match=r"^self\.connection\.stream: builtins\.generator cannot travel"):
        system.spawn(Uses, Connection("db:1"))
    travels(Connection, lambda connection: (reconnected, (connection.address,)))
    assert system.spawn(Uses, Connection("db:1")).result(20) == ("db:1", 0)


def test_it_can_be_said_by_a_decorator(forgotten):
    @travels(Connection)
    def reduce_connection(connection):
        return Connection, (connection.address,)

    assert callable(reduce_connection)
    assert through(Connection("db:2")).address == "db:2"


def test_it_holds_for_that_class_only(forgotten):
    travels(Connection, lambda connection: (Connection, (connection.address,)))
    with pytest.raises(SerializationError, match=r"^self\.stream: "):
        dumps(Pooled("db:3"), "self")


def test_it_comes_before_all_else_that_is_known_of_a_kind(forgotten):
    copyreg.pickle(decimal.Decimal, lambda value: (str, ("by copyreg",)))
    travels(threading.Event, lambda event: (str, ("an event",)))
    travels(decimal.Decimal, lambda value: (str, (f"{value:.1f}",)))
    assert through(threading.Event()) == "an event"
    assert through(decimal.Decimal("1.25")) == "1.2"


def test_what_it_says_holds_for_results_too(forgotten):
    travels(Connection, lambda connection: (Connection, (connection.address,)))
    assert loads(dump_frames(Connection("db:4"), "result")).address == "db:4"


def test_copyreg_is_heard_also_where_the_table_knows_better(forgotten):
    copyreg.pickle(Connection, lambda connection: (Connection, (connection.address,)))
    copyreg.pickle(queue.Queue, lambda jobs: (list, (list(jobs.queue),)))
    jobs = queue.Queue()
    jobs.put(1)
    assert through(Connection("db:5")).address == "db:5"
    assert through(jobs) == [1]


def test_a_class_that_says_itself_how_it_travels_is_left_to_it():
    class Worker(threading.Thread):
        def __init__(self, label):
            super().__init__()
            self.label = label

        def __reduce__(self):
            return Worker, (self.label,)

    class Gate(threading.Event):
        def __getstate__(self):
            return {}

        def __setstate__(self, state):
            super().__init__()
            self.set()

    assert through(Worker("w")).label == "w"
    assert through(Gate()).is_set()


@pytest.mark.parametrize("error", [RuntimeError("not connected"), SystemExit(3), KeyError("x")])
def test_a_reducer_that_raises_refuses_with_the_path(error, forgotten):
    def fail(connection):
        raise error

    travels(Connection, fail)
    with pytest.raises(SerializationError, match=r"^self\[0\]\['k'\]: .*Connection cannot travel; .*") as caught:
        dumps([{"k": Connection("x")}], "self")
    assert f"({type(error).__name__}: " in str(caught.value)
    assert caught.value.__cause__ is error


@pytest.mark.parametrize("kind", ["socket", 5, None, Connection("x")])
def test_what_is_no_class_is_refused(kind):
    with pytest.raises(ConfigError, match="takes a class"):
        travels(kind, len)


def test_what_cannot_be_called_is_refused():
    with pytest.raises(ConfigError, match="takes a function of the object"):
        travels(Connection, "reduce")
    assert Connection not in table._users


def test_a_serialization_error_of_a_reducer_is_the_advice(forgotten):
    @travels(Connection)
    def reduce_connection(connection):
        raise SerializationError("send its address")

    with pytest.raises(SerializationError) as caught:
        dumps({"all": [Connection("x")]}, "kwargs")
    assert str(caught.value).startswith("kwargs['all'][0]: ")
    assert str(caught.value).endswith("Connection cannot travel; send its address")


def test_a_reducer_that_gives_nothing_usable_is_named_as_the_cause(forgotten):
    travels(Connection, lambda connection: 5)
    with pytest.raises(SerializationError, match=r"Connection cannot travel; what was said of it by travels\(\) does"):
        dumps([Connection("x")], "self")


def test_a_serialization_error_of_a_reducer_is_the_advice_for_results_too(forgotten):
    @travels(Connection)
    def reduce_connection(connection):
        raise SerializationError("return its address")

    with pytest.raises(SerializationError, match=r"Connection cannot travel; return its address$"):
        dump_frames([Connection("x")], "result")
