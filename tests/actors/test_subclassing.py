"""What a user may write as a subclass of Process, and what its attributes cannot break."""

from __future__ import annotations

import abc
import linecache
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

import pytest

from understudy import (
    ActorSystem,
    ConfigError,
    NotAnActor,
    Process,
    ProcessConfig,
    Status,
    UnknownField,
    callable_remotely,
    receives,
    timethis,
)
from understudy.call import Call
from understudy.receiving.handlers import Handlers

T = TypeVar("T")


class OneLap(Process):
    """Its subclasses say what they return."""

    def __init__(self):
        self.config.num_loops = 1
        self.config.lives = 3
        self.origin = "OneLap"

    def __loop__(self):
        pass

    def __result__(self):
        return (self.origin, self.config.num_loops, self.config.lives)


class WithoutInit(OneLap):
    pass


class GrandchildWithItsOwnInit(WithoutInit):
    def __init__(self):
        self.config.num_loops = 1
        self.config.lives = 2
        self.origin = "grandchild"


class CooperativeBefore(OneLap):
    def __init__(self):
        super().__init__()
        self.config.lives = 5
        self.origin = "before"


class CooperativeAfter(OneLap):
    def __init__(self):
        self.config.lives = 7
        Process.__init__(self)
        self.config.num_loops = 1
        self.origin = "after"


class CallsSuperTwice(OneLap):
    def __init__(self):
        self.config.timeouts.loop = 11
        super().__init__()
        Process.__init__(self)
        super().__init__()
        self.origin = f"twice, {self.config.timeouts.loop:g}"


class Arguments(OneLap):
    def __init__(self, *args, **kwargs):
        self.config.num_loops = 1
        self.origin = f"{args} {kwargs}"


class Greeting:
    def __init__(self, *args, greeting="hello", **kwargs):
        super().__init__(*args, **kwargs)
        self.greeting = greeting


class MixedIn(Greeting, OneLap):
    def __init__(self):
        super().__init__(greeting="good day")
        self.origin = self.greeting


class MixedInBehind(OneLap, Greeting):
    def __init__(self):
        OneLap.__init__(self)
        Greeting.__init__(self)
        self.origin = self.greeting


class Abstract(OneLap, abc.ABC):
    @abc.abstractmethod
    def word(self): ...

    def __result__(self):
        return (self.word(), self.config.num_loops, self.config.lives)


class Concrete(Abstract):
    def word(self):
        return "concrete"


class Typed(OneLap, Generic[T]):
    def __init__(self, value: T):
        super().__init__()
        self.origin = str(value)


@dataclass
class AsDataclass(OneLap):
    origin: str = "dataclass"
    words: list[str] = field(default_factory=list)

    def __post_init__(self):
        self.config.num_loops = 1


WRITTEN: list[tuple[Any, tuple[Any, ...], dict[str, Any], Any]] = [
    (OneLap, (), {}, ("OneLap", 1, 3)),
    (WithoutInit, (), {}, ("OneLap", 1, 3)),
    (GrandchildWithItsOwnInit, (), {}, ("grandchild", 1, 2)),
    (CooperativeBefore, (), {}, ("before", 1, 5)),
    (CooperativeAfter, (), {}, ("after", 1, 7)),
    (CallsSuperTwice, (), {}, ("twice, 11", 1, 3)),
    (Arguments, (1, "b"), {"key": None}, ("(1, 'b') {'key': None}", 1, 1)),
    (MixedIn, (), {}, ("good day", 1, 3)),
    (MixedInBehind, (), {}, ("hello", 1, 3)),
    (Concrete, (), {}, ("concrete", 1, 3)),
    (Typed, (4,), {}, ("4", 1, 3)),
    (AsDataclass, (), {}, ("dataclass", 1, 1)),
]


@pytest.mark.requirement("P1")
def test_a_subclass_runs_with_what_its_init_set_however_it_is_written(system):
    refs = [system.spawn(written, *args, **kwargs) for written, args, kwargs, _ in WRITTEN]
    assert [ref.result(20) for ref in refs] == [told for *_, told in WRITTEN]


@pytest.mark.requirement("P1")
def test_calling_init_again_wipes_nothing_that_was_set():
    made = OneLap()
    made.config.timeouts.loop = 1.25
    config = made.config
    Process.__init__(made)
    made.__init__()  # type: ignore[misc]  # what a cooperative mixin may well do
    assert made.config is config
    assert made.config.timeouts.loop == 1.25


@pytest.mark.requirement("P1")
def test_arguments_for_a_class_without_an_init_are_refused_as_python_refuses_them(system):
    class Bare(Process):
        def __loop__(self):
            pass

    with pytest.raises(TypeError, match="Bare"):
        Bare("an argument nobody takes")
    with pytest.raises(TypeError, match="Bare"):
        system.spawn(Bare, nmae="a slip of the pen")


@pytest.mark.requirement("P1")
def test_a_new_that_goes_around_process_is_refused_with_the_reason(system):
    class Around(OneLap):
        def __new__(cls):
            return object.__new__(cls)

        def __init__(self):
            pass

    with pytest.raises(NotAnActor, match="Around was never set up"):
        system.spawn(Around)


@pytest.mark.requirement("P2")
def test_the_config_with_its_defaults_is_there_before_init_runs():
    class Looks(OneLap):
        def __init__(self):
            self.seen = self.config.to_dict()

    assert Looks().seen == ProcessConfig().to_dict()


def line_of(error: BaseException) -> str:
    """The source line of this file in which the error arose."""
    found = ""
    trace = error.__traceback__
    while trace is not None:
        if trace.tb_frame.f_code.co_filename == __file__:
            found = linecache.getline(__file__, trace.tb_lineno).strip()
        trace = trace.tb_next
    return found


@pytest.mark.requirement("P2")
def test_a_wrong_setting_in_init_raises_at_its_line_and_leaves_the_name_free(system):
    class Unknown(OneLap):
        def __init__(self):
            self.config.num_loop = 3  # type: ignore[attr-defined]

    class WrongType(OneLap):
        def __init__(self):
            self.config.lives = "three"  # type: ignore[assignment]

    class WrongSign(OneLap):
        def __init__(self):
            self.config.timeouts.loop = -2.5

    cases: list[tuple[type[Process], type[Exception], str, list[str]]] = [
        (Unknown, UnknownField, "self.config.num_loop = 3 ", ["num_loop", "did you mean 'num_loops'"]),
        (WrongType, ConfigError, 'self.config.lives = "three" ', ["lives", "a whole number", "'three'"]),
        (WrongSign, ConfigError, "self.config.timeouts.loop = -2.5", ["timeouts.loop", "above 0", "-2.5"]),
    ]
    for cls, kind, line, words in cases:
        with pytest.raises(kind) as caught:
            system.spawn(cls, name="slip")
        assert f"{line_of(caught.value)} ".startswith(line)
        assert all(word in str(caught.value) for word in words), str(caught.value)
    assert system.spawn(OneLap, name="slip").wait(20) is Status.FINISHED


class Shadows(Process):
    """Takes every name that is no verb, and some that look private, for itself."""

    incarnation = "class attribute"  # type: ignore[assignment]

    def __init__(self):
        self.config.num_loops = 2
        self.config.log_laps = True
        me: Any = self  # at run time the names are free; a type checker holds to the declared types
        me.name = "mine"
        me.log = ["mine"]
        me.stats = me.timers = me.error = me.stopping = None
        me.current_lap = me.completed_laps = me.last_lap_time = me.lives_left = "mine"
        me._started = 12.5
        me._inside = me._config = me._state = me._lock = False
        me.system = me.sender = me.ref = me.uid = me.pid = me.hooks = me.run = "mine"

    @timethis()
    def __loop__(self):
        me: Any = self
        me.log.append(me.current_lap)

    def __result__(self):
        me: Any = self
        self.progress(100)
        return me.name, me.log, me.incarnation, me._started, self.sleep(0)


@pytest.mark.requirement("P11")
def test_attributes_of_the_same_names_as_the_runtimes_are_the_users_own(system):
    ref = system.spawn(Shadows, name="shade")
    assert ref.result(20) == ("mine", ["mine", "mine", "mine"], "class attribute", 12.5, True)
    assert ref.info().name == "shade"
    assert ref.info().progress == 100
    timers = ref.timers()
    assert timers.loop.num_times == timers.full_loop.num_times == 2


@pytest.mark.requirement("P11")
def test_a_free_standing_process_with_such_attributes_can_be_started_waited_for_and_asked():
    process = Shadows()
    process.start()
    assert process.wait(20) is Status.FINISHED
    assert process.result()[0] == "mine"
    assert process.name == "mine"


@pytest.mark.requirement("P11")
def test_a_dataclass_may_have_fields_of_such_names(system):
    @dataclass
    class Fields(Process):
        name: str
        log: str  # type: ignore[assignment]
        timers: int  # type: ignore[assignment]
        error: str = "none yet"  # type: ignore[assignment]

        def __loop__(self):
            self.stop()

        def __result__(self):
            return self.name, self.log, self.timers, self.error

    with pytest.raises(TypeError, match="timers"):
        Fields("a", "b")  # type: ignore[call-arg]
    assert system.spawn(Fields("a", "b", 3)).result(20) == ("a", "b", 3, "none yet")


@pytest.mark.requirement("P11")
def test_an_attribute_hook_that_answers_to_every_name_lends_no_hooks(system):
    class Obliging(OneLap):
        def __getattr__(self, name):
            if "state" in name:
                raise AttributeError(name)  # the pickle protocol asks the object, not its class

            def nonsense(*_):
                raise AssertionError(f"{name} is no hook of this class")

            return nonsense

    assert system.spawn(Obliging).result(20) == ("OneLap", 1, 3)


@pytest.mark.requirement("P11")
def test_the_runtime_keeps_its_state_in_one_private_attribute():
    assert [name for name in vars(OneLap()) if name != "origin"] == ["_understudy"]
    started = OneLap()
    started.start().wait(20)
    assert [name for name in vars(started) if name != "origin"] == ["_understudy"]


VERBS = [
    "config", "start", "wait", "result", "stop", "kill", "sleep", "progress", "tell", "ask", "receive", "after",
    "every", "defer",
]  # fmt: skip


@pytest.mark.requirement("P11")
@pytest.mark.parametrize("verb", VERBS)
def test_shadowing_a_verb_raises_at_that_line_and_names_the_clash(verb):
    made = OneLap()
    assigned = rf"OneLap\.{verb} would hide Process\.{verb}"
    if verb == "config":
        assigned = r"OneLap\.config cannot be replaced; set its fields, as in self\.config\.lives = 3"
    with pytest.raises(ConfigError, match=assigned):
        setattr(made, verb, "mine")
    with pytest.raises(ConfigError, match=rf"Hides\.{verb} would hide"):
        type("Hides", (OneLap,), {verb: "mine"})
    with pytest.raises(ConfigError, match=rf"Inherits\.{verb} would hide"):
        type("Inherits", (type("Mixin", (), {verb: "mine"}), OneLap), {})
    assert made.config.lives == 3


class Noted:
    """A message."""


class Marked(OneLap):
    @receives(Noted, str)
    def note(self, message):
        return message

    @callable_remotely
    async def look(self): ...

    def __receive__(self, message): ...

    def __result__(self):
        handlers = Handlers(self)
        found = [handlers.find(message) for message in (Noted(), "text", 3, Call("look", (), {}), Call("note", (), {}))]
        return [each and (each.name, each.is_async) for each in found]


@pytest.mark.requirement("A7")
def test_marks_of_a_class_that_travels_are_there_in_its_process(system, host):
    class ByValue(Marked):
        @receives(int)
        def number(self, message): ...

    by_name = [("note", False), ("note", False), ("__receive__", False), ("look", True), None]
    assert system.spawn(Marked, host=host).result(20) == by_name
    by_name[2] = ("number", False)
    assert system.spawn(ByValue, host=host).result(20) == by_name


@pytest.mark.requirement("A7")
def test_self_system_is_the_system_and_within_the_actor_a_handle_of_it(system):
    class Looks(OneLap):
        def __result__(self):
            return self.system, self.system.name, self.system.endpoint

    assert system.spawn(Looks).result(20) == (system, system.name, system.endpoint)
    started = OneLap()
    started.start().wait(20)
    assert started.system is ActorSystem.default()
    ActorSystem.close_default()
