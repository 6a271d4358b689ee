"""Which method takes a message, what may be marked, and what is called from elsewhere."""

from __future__ import annotations

import abc
import collections
import functools
import pickle
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import msgpack
import pytest

from understudy import Deferred, NotAnActor, Process, ProtocolError, SerializationError, callable_remotely, receives
from understudy.call import Call
from understudy.hooks import HOOKS, hooks_of
from understudy.receiving.calls import Calls
from understudy.receiving.deferred import Pending
from understudy.receiving.handlers import Handlers
from understudy.receiving.marks import marks_of, methods_of
from understudy.targets import target_of
from understudy.wire.pickling import dump_frames

pytestmark = pytest.mark.requirement("A7")


class Message:
    pass


class Add(Message):
    pass


class AddTwice(Add):
    pass


class Remove(Message):
    pass


class Shelf(Process):
    @receives(Add)
    def add(self, message):
        return "add", message

    @receives(Remove, int)
    async def remove(self, message):
        return "remove", message

    def __receive__(self, message):
        return "any", message

    @callable_remotely
    def count(self, *args, **kwargs):
        return args, kwargs

    @callable_remotely
    async def look(self):
        return "looked"

    def secret(self):
        raise AssertionError("not to be called from elsewhere")


def taken(process: Process, message: object) -> Any:
    """What the handler says of a message."""
    found = Handlers(process).find(message)
    assert found is not None
    assert not found.is_async
    return found(message)


# --- who takes it


def test_a_message_goes_to_the_handler_of_its_class_then_of_its_nearest_base_then_to_receive():
    add, twice, text, plain = Add(), AddTwice(), "text", Message()
    assert taken(Shelf(), add) == ("add", add)
    assert taken(Shelf(), twice) == ("add", twice)
    assert taken(Shelf(), text) == ("any", text)
    assert taken(Shelf(), plain) == ("any", plain)
    assert taken(Shelf(), None) == ("any", None)


def test_the_class_of_a_message_goes_before_its_base_whichever_is_marked_first():
    class Both(Process):
        @receives(Message)
        def wide(self, message):
            return "wide"

        @receives(AddTwice)
        def narrow(self, message):
            return "narrow"

    assert [taken(Both(), kind()) for kind in (Message, Add, AddTwice)] == ["wide", "wide", "narrow"]


def test_a_truth_goes_to_the_handler_of_numbers_only_where_it_has_none_of_its_own():
    class Numbers(Process):
        @receives(int)
        def number(self, message):
            return "number"

    class Truths(Numbers):
        @receives(bool)
        def truth(self, message):
            return "truth"

    assert taken(Numbers(), True) == "number"  # noqa: FBT003 - it is the message
    assert taken(Truths(), True) == "truth"  # noqa: FBT003
    assert taken(Truths(), 1) == "number"


def test_abstract_classes_are_looked_for_behind_the_bases_and_before_object():
    class Abstract(Process):
        @receives(object)
        def other(self, message):
            return "other"

        @receives(Mapping)
        def mapping(self, message):
            return "mapping"

    assert taken(Abstract(), {}) == "mapping"
    assert taken(Abstract(), collections.OrderedDict()) == "mapping"
    assert taken(Abstract(), 3) == "other"


def test_of_two_abstract_classes_neither_is_guessed():
    class Red(abc.ABC): ...  # noqa: B024 - registered classes are all that it is for

    class Round(abc.ABC): ...  # noqa: B024

    Red.register(Remove)
    Round.register(Remove)

    class Torn(Process):
        @receives(Red)
        def red(self, message):
            raise AssertionError("guessed")

        @receives(Round)
        def round(self, message):
            raise AssertionError("guessed")

        @receives(str)
        def text(self, message):
            return "text"

    handlers = Handlers(Torn())
    assert handlers.find(Remove()) is None
    assert "Torn takes no Remove: Ambiguous dispatch" in str(handlers.refusal(Remove()))
    assert taken(Torn(), "text") == "text"


def test_a_union_stands_for_its_members_and_none_for_its_class():
    class Several(Process):
        @receives(Add | int, None)
        def several(self, message):
            return "several"

        another_name = several

        @receives(Remove | Mapping)
        def later(self, message):
            return "later"

    messages: list[object] = [Add(), 3, None, Remove(), {}]
    assert [taken(Several(), one) for one in messages] == ["several", "several", "several", "later", "later"]


def test_a_handler_is_known_to_be_async_and_nothing_of_it_runs():
    found = Handlers(Shelf()).find(Remove())
    assert found is not None
    assert (found.name, found.is_async) == ("remove", True)
    coroutine = found(3)
    with pytest.raises(StopIteration) as ended:
        coroutine.send(None)
    assert ended.value.value == ("remove", 3)


def test_a_message_without_a_handler_is_refused_with_what_there_is():
    class Narrow(Process):
        @receives(Remove)
        def remove(self, message): ...

        @receives(Add)
        def add(self, message): ...

    class Calculates(Process):
        @callable_remotely
        def add(self): ...

    assert Handlers(Narrow()).find("text") is None
    refusal = Handlers(Narrow()).refusal("text")
    assert isinstance(refusal, TypeError)
    owner = Narrow.__qualname__
    assert str(refusal) == f"{owner} takes no str: it has no __receive__, and handlers for Add, Remove"
    assert Handlers(Calculates()).find("text") is None
    assert str(Handlers(Calculates()).refusal(3)).endswith(
        "takes no int: it has no __receive__, and handlers for nothing"
    )


# --- inheritance


class Wider(Shelf):
    def add(self, message):
        return "wider", message

    @receives(Remove)
    def throw_away(self, message):
        return "thrown away"


def test_an_overridden_handler_is_one_and_a_subclass_goes_before_its_base():
    add = Add()
    assert taken(Wider(), add) == ("wider", add)
    assert taken(Wider(), Remove()) == "thrown away"
    rest = Handlers(Wider()).find(3)
    assert rest is not None
    assert rest.name == "remove"


def test_a_handler_that_is_marked_anew_has_its_new_classes_alone():
    class Anew(Shelf):
        @receives(str)
        def add(self, message):
            return "text"

    add = Add()
    assert taken(Anew(), "text") == "text"
    assert taken(Anew(), add) == ("any", add)


def test_a_handler_that_is_overridden_by_none_is_gone():
    class Without(Shelf):
        add = None  # type: ignore[assignment]
        count = None  # type: ignore[assignment]

    add = Add()
    assert taken(Without(), add) == ("any", add)
    assert Handlers(Without()).find(Call("count", (), {})) is None


def test_a_mixin_that_is_no_process_may_bring_handlers():
    class Mixin:
        @receives(str)
        def text(self, message):
            return "text of the mixin"

    class Mixed(Mixin, Process):
        pass

    assert taken(Mixed(), "x") == "text of the mixin"
    assert hooks_of(Mixed) == {"receive"}


def test_a_decorator_around_a_handler_keeps_its_mark():
    def logged(function):
        @functools.wraps(function)
        def wrapper(*args):
            return "logged", function(*args)

        return wrapper

    class Decorated(Process):
        @logged
        @receives(str)
        def text(self, message):
            return message

        @classmethod
        @receives(int)
        def number(cls, message):
            return cls.__name__, message

        @staticmethod
        @callable_remotely
        def free():
            return "free"

    assert taken(Decorated(), "x") == ("logged", "x")
    assert taken(Decorated(), 3) == ("Decorated", 3)
    assert taken(Decorated(), Call("free", (), {})) == "free"


def test_an_object_that_answers_to_every_name_is_no_handler():
    class Obliging:
        def __getattr__(self, name):
            return "whatever"

        def __call__(self):
            raise AssertionError("not to be called")

    class Holds(Process):
        things = Obliging()

        def __loop__(self): ...

    assert marks_of(Holds) == ({}, set())
    assert hooks_of(Holds) == {"loop"}


# --- what is refused where it is written


def generates(self, message=None):
    yield message


async def generates_later(self, message=None):
    yield message


class Unfindable(Protocol):
    size: int


@pytest.mark.parametrize(
    ("kinds", "words"),
    [
        ((), "needs the classes of messages"),
        ((taken,), "needs the classes of messages"),
        ((3,), "3 is none"),
        (("Add",), "'Add' is none"),
        ((list[int],), r"list\[int\] is none"),
        ((Add, int | list[int]), r"list\[int\] is none"),
        ((Any,), "Any is none"),
        ((Unfindable,), "cannot look for"),
    ],
)
def test_what_is_no_class_of_messages_is_refused_at_the_mark(kinds, words):
    with pytest.raises(TypeError, match=words):
        receives(*kinds)


@pytest.mark.parametrize("mark", [receives(Add), callable_remotely], ids=["receives", "callable_remotely"])
@pytest.mark.parametrize(
    ("function", "error", "words"),
    [
        (generates, NotAnActor, "is a generator: calling it would run nothing"),
        (generates_later, NotAnActor, "is a generator"),
        (3, TypeError, "marks methods; 3 is a int"),
        (staticmethod(len), TypeError, "is a staticmethod"),
        (classmethod(generates), TypeError, "is a classmethod"),
        (Add, TypeError, "is a class"),
    ],
)
def test_what_is_no_method_is_refused_at_the_mark(mark, function, error, words):
    with pytest.raises(error, match=words):
        mark(function)


def test_a_handler_that_takes_no_message_and_a_private_remote_method_are_refused():
    def too_few(self): ...

    def too_many(self, message, more): ...

    with pytest.raises(TypeError, match=r"too_few is to take self and a message; too many positional arguments"):
        receives(Add)(too_few)
    with pytest.raises(TypeError, match=r"is to take self and a message; missing a required argument: 'more'"):
        receives(Add)(too_many)

    def _private(self): ...

    with pytest.raises(TypeError, match="_private is private by its name"):
        callable_remotely(_private)


def test_an_override_that_is_a_generator_is_refused_where_the_class_is_written():
    for name in ("add", "count"):
        with pytest.raises(NotAnActor, match=rf"Yielding: {name} is a generator"):
            type("Yielding", (Shelf,), {name: generates})
    with pytest.raises(NotAnActor, match=r"Yielding\.__receive__ is a generator"):
        type("Yielding", (Shelf,), {"__receive__": generates_later})


def test_two_handlers_of_one_class_in_one_body_are_refused():
    with pytest.raises(NotAnActor, match=r"Two\.first and \.second both receive Add; one of them may"):

        class Two(Process):
            @receives(Add)
            def first(self, message): ...

            @receives(Add)
            def second(self, message): ...


# --- what is an actor


class OnlyReceives(Process):
    def __receive__(self, message): ...


class OnlyTyped(Process):
    @receives(Add)
    async def add(self, message): ...


class OnlyCalled(Process):
    @callable_remotely
    def add(self): ...


@pytest.mark.requirement("P3")
@pytest.mark.parametrize(("cls", "method"), [(OnlyReceives, "__receive__"), (OnlyTyped, "add"), (OnlyCalled, "add")])
def test_a_class_that_only_takes_messages_can_be_spawned(cls, method):
    assert methods_of(cls) == {method}
    spec = target_of(cls, (), {}).spec({"mailbox.size": 7})
    assert spec.hooks == {"receive"}
    assert spec.config.mailbox.size == 7
    assert spec.modules == (("asyncio",) if cls is OnlyTyped else ())


@pytest.mark.requirement("P3")
def test_a_class_that_does_nothing_is_told_what_there_could_be():
    with pytest.raises(NotAnActor) as caught:
        target_of(type("Idle", (Process,), {"on_message": len}), (), {}).spec({})
    assert str(caught.value) == (
        "Idle defines no __loop__, and neither __receive__ nor a method marked @receives or @callable_remotely, so "
        "there is nothing for it to do; its on_message() is not called: name it __receive__"
    )


@pytest.mark.requirement("P3")
@pytest.mark.parametrize("slip", ["__recieve__", "__recive__", "__receives__", "__receiver__", "__on_receive__"])
def test_a_misspelled_receive_is_refused_where_the_class_is_written(slip):
    assert "receive" in HOOKS
    with pytest.raises(NotAnActor, match=rf"Slipped\.{slip} is no hook, .*; did you mean __receive__\?"):
        type("Slipped", (Process,), {slip: Shelf.__receive__})


# --- calls


def test_a_call_goes_to_a_marked_method_with_its_arguments_and_to_no_other():
    handlers = Handlers(Shelf())
    assert taken(Shelf(), Call("count", (1, "b"), {"by": 3})) == ((1, "b"), {"by": 3})
    looks = handlers.find(Call("look", (), {}))
    assert looks is not None
    assert (looks.name, looks.is_async) == ("look", True)
    for name in ("secret", "add", "__receive__", "config", "kill", "nothing"):
        assert handlers.find(Call(name, (), {})) is None
    refusal = handlers.refusal(Call("conut", (), {}))
    assert isinstance(refusal, AttributeError)
    assert str(refusal) == "Shelf has no conut() that is callable remotely; did you mean count()?"
    assert str(handlers.refusal(Call("secret", (), {}))).endswith("callable remotely; it has count, look")


def test_a_handler_of_every_object_takes_no_calls():
    class Everything(Process):
        @receives(object)
        def everything(self, message):
            return "everything"

    assert Handlers(Everything()).find(Call("everything", (), {})) is None
    assert str(Handlers(Everything()).refusal(Call("x", (), {}))) == (
        f"{Everything.__qualname__} has no x() that is callable remotely"
    )


def test_a_call_travels_as_plain_values_and_by_pickle():
    call = Call("count", (1, None, "text"), {"by": 2.5})
    packed = msgpack.packb(call.plain(), strict_types=True)
    assert Call.opened(msgpack.unpackb(packed)) == call
    assert pickle.loads(pickle.dumps(call)) == call
    assert repr(call) == "count(1, None, 'text', by=2.5)"
    with pytest.raises(SerializationError, match=r"message\.args\[0\]"):
        dump_frames(Call("count", (threading.current_thread(),), {}), "message")


@pytest.mark.parametrize(
    "parts",
    [None, [], "abc", ["count", []], ["count", [], {}, 1], [1, [], {}], ["count", {}, {}], ["count", [], {1: 2}], {}],
)
def test_what_is_no_call_is_a_protocol_error(parts):
    with pytest.raises(ProtocolError, match="is no call"):
        Call.opened(parts)


@dataclass
class Teller:
    """Stands for a ref: what was asked, and with which options."""

    def ask(self, message, **options):
        return message, options

    def __repr__(self):
        return "<the teller>"


def test_each_name_of_the_proxy_asks_for_that_method():
    calls = Calls(Teller().ask)
    assert calls.add(2, by=3) == (Call("add", (2,), {"by": 3}), {})
    assert calls(timeout=2).add() == (Call("add", (), {}), {"timeout": 2})
    assert calls(timeout=2)(timeout=None).add() == (Call("add", (), {}), {"timeout": None})
    assert calls.add(self=1, name=2, timeout=3) == (Call("add", (), {"self": 1, "name": 2, "timeout": 3}), {})
    assert repr(calls(timeout=2)) == "<calls by <the teller> with timeout=2>"
    with pytest.raises(TypeError, match="time"):
        calls(time=2)  # type: ignore[call-arg]
    for name in ("_private", "__deepcopy__", "__len__"):
        with pytest.raises(AttributeError, match=f"{name} cannot be called from elsewhere"):
            getattr(calls, name)


# --- deferred


class Slot:
    """Stands for the engine's end of one ask."""

    def __init__(self):
        self.given = []

    def reply(self, value):
        if value is threading:
            raise SerializationError("message: module")
        self.given.append(("reply", value))

    def fail(self, error):
        self.given.append(("fail", error))

    def drop(self):
        self.given.append("dropped")


def test_a_deferred_is_answered_once():
    slot = Slot()
    deferred = Deferred(Pending(slot))
    seen = [deferred.answered]
    assert repr(deferred) == "<Deferred: open>"
    deferred.reply(5)
    assert [*seen, deferred.answered] == [False, True]
    assert repr(deferred) == "<Deferred: answered>"
    with pytest.raises(RuntimeError, match="answered before"):
        deferred.reply(6)
    with pytest.raises(RuntimeError, match="answered before"):
        deferred.fail(ValueError())
    assert slot.given == [("reply", 5)]


def test_a_deferred_that_goes_unanswered_says_so():
    slots = [Slot(), Slot(), Slot()]
    replied, failed, dropped = [Deferred(Pending(slot)) for slot in slots]
    replied.reply()
    failed.fail(ValueError())
    with pytest.raises(SerializationError):
        dropped.reply(threading)
    del replied, failed, dropped
    assert [slot.given[-1] == "dropped" for slot in slots] == [False, False, True]


def test_a_deferred_may_fail_and_only_with_an_exception():
    slot, error = Slot(), ValueError("no")
    deferred = Deferred(Pending(slot))
    for nonsense in ("no", ValueError, None):
        with pytest.raises(TypeError, match="takes an exception"):
            deferred.fail(nonsense)  # type: ignore[arg-type]
    deferred.fail(error)
    assert slot.given == [("fail", error)]


def test_a_reply_that_cannot_travel_leaves_the_ask_open():
    slot = Slot()
    deferred = Deferred(Pending(slot))
    with pytest.raises(SerializationError):
        deferred.reply(threading)
    assert not deferred.answered
    deferred.reply()
    assert slot.given == [("reply", None)]


def test_of_many_threads_that_answer_one_does():
    slot, refused = Slot(), []
    deferred, together = Deferred(Pending(slot)), threading.Barrier(8)

    def answer(number):
        together.wait(20)
        try:
            deferred.reply(number)
        except RuntimeError:
            refused.append(number)

    threads = [threading.Thread(target=answer, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(slot.given) == 1
    assert sorted([*refused, slot.given[0][1]]) == list(range(8))


def test_a_deferred_is_not_sent():
    with pytest.raises(SerializationError, match="a Deferred answers from its own actor") as caught:
        dump_frames({"later": Deferred(Pending(Slot()))}, "message")
    assert "message['later']" in str(caught.value)


def test_a_receive_that_does_not_take_one_message_raises_where_the_class_is_written():
    with pytest.raises(TypeError, match=r"\.__receive__ is to take self and a message; too many"):

        class TakesNone(Process):
            def __receive__(self):
                """Of nothing."""

    with pytest.raises(TypeError, match="missing a required argument: 'second'"):

        class TakesTwo(Process):
            async def __receive__(self, first, second):
                """Of too much."""

    class TakesOne(Process):
        def __receive__(self, message, *rest, option=None):
            """Of one, and what it may have besides."""

    assert methods_of(TakesOne) == {"__receive__"}
