"""Messages in traces: each is handled in a span of its own below its sender's, whatever way it went."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import suppress

import pytest
from opentelemetry import trace

from tests.messages.traced import Kept, Seen, Traced, TracedSideBySide
from tests.messages.untraced import Apart
from tests.stage import noted, python, until
from understudy import ReceiveError, ReceiveTimeoutError

pytestmark = pytest.mark.requirement("A7")


@pytest.fixture(scope="session")
def provider() -> Kept:
    """Of this process, which can be given one, and never another."""
    return Kept()


@pytest.fixture
def here(provider: Kept) -> Iterator[Kept]:
    provider.taken()
    yield provider
    provider.taken()


def root(name: str = "root"):
    return trace.get_tracer("tests").start_as_current_span(name)


def by_name(*found: list[Seen]) -> dict[str, Seen]:
    """Spans by their names, of which each is there once."""
    spans = [one for some in found for one in some]
    named = {one.name: one for one in spans}
    assert len(named) == len(spans), spans
    return named


def lineage(named: dict[str, Seen], name: str) -> list[str]:
    """From that span up to the root, all of one trace."""
    line, names = [named[name]], {one.span: one for one in named.values()}
    while (parent := line[-1].parent) is not None:
        line.append(names[parent])
    assert len({one.trace for one in line}) == 1
    return [one.name for one in line]


def test_a_tell_within_a_span_is_handled_in_one_below_it(system, here):
    actor = system.spawn(Traced, name="ledger")
    actor.tell("outside")
    with root():
        actor.tell("within")
    actor.tell("outside again")
    outside, within, again = actor.ask("handled", 30)
    (handled,) = actor.ask("spans", 30)
    named = by_name(here.taken(), [handled])
    assert lineage(named, "handle ledger") == ["handle ledger", "tell ledger", "root"]
    assert [outside[1], within[1], again[1]] == [0, handled.span, 0]
    assert (named["tell ledger"].kind, handled.kind) == ("PRODUCER", "CONSUMER")
    assert named["tell ledger"].attributes == {
        "messaging.system": "understudy",
        "messaging.operation.name": "tell",
        "messaging.operation.type": "send",
        "messaging.destination.name": "ledger",
    }
    known = handled.attributes
    assert known.pop("messaging.message.id").endswith("-2")
    assert known == {
        "messaging.system": "understudy",
        "messaging.operation.name": "handle",
        "messaging.operation.type": "process",
        "messaging.destination.name": "ledger",
        "understudy.actor.uid": actor.uid,
        "understudy.actor.incarnation": 1,
        "understudy.handler": "__receive__",
        "understudy.message.redelivered": False,
        "understudy.message.seq": 2,
        "understudy.sender.name": "",
    }


def test_a_chain_of_actors_is_one_trace(system, here):
    first, last = system.spawn(Traced, name="first"), system.spawn(Traced, name="last")
    with root():
        inner = first.ask(["pass on", last, "current"], 30)
    one, other = first.ask("spans", 30), last.ask("spans", 30)
    named = by_name(here.taken(), one, other)
    assert lineage(named, "handle last") == ["handle last", "ask last", "handle first", "ask first", "root"]
    assert named["handle last"].span == inner
    assert [named[name].kind for name in lineage(named, "handle last")[:-1]] == ["SERVER", "CLIENT"] * 2
    assert named["handle last"].attributes["understudy.sender.name"] == "first"
    assert {one.status for one in named.values()} == {"UNSET"}
    with root():
        first.ask(["tell on", last, "a word"], 30)
    until(lambda: last.ask("handled", 30), what="the tell")
    named = by_name(here.taken(), first.ask("spans", 30), last.ask("spans", 30))
    assert lineage(named, "handle last") == ["handle last", "tell last", "handle first", "ask first", "root"]


def test_calls_groups_urgent_reliable_and_large_messages_go_in_the_trace_and_from_asyncio_too(system, here):
    group = system.spawn(Traced, name="group", replicas=2)
    one, two = group.refs

    def all_in_one_trace(*kinds: str) -> None:
        """Each handler's span stands below what was sent, and that below the root."""
        mine, theirs = here.taken(), [one.ask("spans", 30), two.ask("spans", 30)]
        handled = [span for some in theirs for span in some]
        (top,) = [span for span in mine if span.name == "root"]
        sent = {span.span: span for span in mine if span is not top}
        assert {span.parent for span in sent.values()} == {top.span}
        assert {span.parent for span in handled} == set(sent)
        assert sorted(span.kind for span in handled) == sorted(kinds)

    with root():
        assert one.call.double(4) == 8
        one.tell("urgent", urgent=True)
        one.tell("x" * 5000)
        one.tell({1, 2})
        one.tell(bytes(2 << 20))
        one.tell("reliable", reliable=True)
        group.tell("to one of them")
        group.tell("to all", route="broadcast")
        one.ask("behind them all", 30)
        two.ask("behind them all", 30)
    all_in_one_trace("SERVER", *["CONSUMER"] * 8, "SERVER", "SERVER")

    with root():
        group.ask("all at once", 30, route="broadcast")
    all_in_one_trace("SERVER", "SERVER")

    async def main():
        with root():
            assert await one.aio.call.double(4) == 8
            await one.aio.tell("plain")
            await one.aio.tell("reliable", reliable=True)
            await asyncio.gather(*(two.aio.ask(number, 30) for number in range(3)))
            await one.aio.ask("behind them all", 30)
        await two.aio.ask("outside", 30)

    asyncio.run(main())
    all_in_one_trace("SERVER", "CONSUMER", "CONSUMER", *["SERVER"] * 4)
    with root():
        asyncio.run(group.aio.ask("all at once", 30, route="broadcast"))
    all_in_one_trace("SERVER", "SERVER")
    assert [pair for pair in two.ask("handled", 30) if pair[0] == "outside"] == [("outside", 0)]


def test_many_tells_within_a_span_arrive_in_their_order_each_with_its_span(system, here):
    actor = system.spawn(Traced, name="many")
    for number in range(100):
        actor.tell(number)
    with root():
        for number in range(100, 400):
            actor.tell(number)
    for number in range(400, 500):
        actor.tell(number)
    handled = actor.ask("handled", 30)
    assert [number for number, _ in handled] == list(range(500))
    spans = [span for _, span in handled]
    assert spans[:100] == spans[400:] == [0] * 100
    found = actor.ask("spans", 30)
    assert [one.span for one in found] == spans[100:400]
    sent = [one.span for one in here.taken() if one.name == "tell many"]
    assert [one.parent for one in found] == sent
    assert len(set(sent)) == 300


def test_an_error_of_the_handler_is_recorded_and_is_the_spans_status(system, here):
    actor = system.spawn(Traced, name="fails", timeouts__receive=1.0)
    with root():
        with pytest.raises(ReceiveError):
            actor.ask(["raise", "no such account"], 30)
        with pytest.raises(ReceiveError):
            actor.ask("mute", 30)
        with pytest.raises(ReceiveTimeoutError):
            actor.ask("overrun", 30)
        with pytest.raises(ReceiveError):
            actor.call.unknown()
    failed, mute, late = actor.ask("spans", 30)  # there is no handler for the last one, and so no span
    assert (failed.status, failed.description) == ("ERROR", "ValueError: no such account")
    ((event, known),) = failed.events
    assert (event, known["exception.type"], known["exception.message"]) == (
        "exception",
        "ValueError",
        "no such account",
    )
    assert "in __receive__" in known["exception.stacktrace"]
    assert failed.attributes["error.type"] == "ValueError"
    assert (mute.status, mute.description, mute.attributes["error.type"]) == ("ERROR", "Mute", "Mute")
    assert [event for event, _ in mute.events] == ["exception"]
    assert (late.status, late.attributes["error.type"], late.events) == ("ERROR", "Overrun", [])
    asked = [one for one in here.taken() if one.name == "ask fails"]
    assert [one.status for one in asked] == ["ERROR"] * 4
    assert [one.attributes["error.type"] for one in asked] == ["ReceiveError"] * 2 + [
        "ReceiveTimeoutError",
        "ReceiveError",
    ]


@pytest.mark.parametrize("way", ["raise", "overrun"])
def test_nothing_of_a_trace_is_left_for_the_message_that_follows(system, here, way):
    actor = system.spawn(Traced, timeouts__receive=0.5)
    assert actor.ask("current", 30) == 0
    for _ in range(3):
        with root():
            assert actor.ask("current", 30) != 0
            with pytest.raises(ReceiveError):
                actor.ask(["raise", ""] if way == "raise" else way, 30)
        assert actor.ask("current", 30) == 0
    traces = [one.trace for one in actor.ask("spans", 30)]
    assert len(traces) == 6
    assert len(set(traces)) == 3


@pytest.mark.parametrize("hands", [1, 3])
def test_async_handlers_have_each_its_own_span_also_those_that_run_at_once(system, here, hands):
    actor, other = system.spawn(TracedSideBySide, hands, name="one"), system.spawn(TracedSideBySide, 3, name="two")

    async def main():
        if hands > 1:
            with root():
                waiting = asyncio.create_task(actor.aio.ask("wait", 30))
                await asyncio.sleep(0)  # it is sent first
            assert await actor.aio.ask("meanwhile", 30) == 0
            with root():
                within = await actor.aio.ask("meanwhile", 30)
            await actor.aio.ask("open", 30)
            before, after = await waiting
            assert len({before, after, within, 0}) == 3
        with root():
            with suppress(ReceiveError):
                await actor.aio.ask(["raise", "text"], 30)
            await actor.aio.ask(["pass on", other, "current"], 30)
        assert await actor.aio.ask("outside", 30) == 0

    asyncio.run(main())
    found = actor.ask("spans", 30)
    (failed,) = [one for one in found if one.status == "ERROR"]
    assert (failed.kind, failed.description) == ("SERVER", "ValueError: text")
    (passed,) = [one for one in found if one.name == "ask two"]
    (handled,) = other.ask("spans", 30)
    assert handled.parent == passed.span
    assert passed.parent in {one.span for one in found if one.name == "handle one"}


@pytest.mark.fault("F44")
def test_what_a_death_left_is_handled_by_the_next_life_in_its_trace(system, here, tmp_path):
    actor = system.spawn(Traced, name="mortal", lives=2)
    started, gate = str(tmp_path / "started"), tmp_path / "gate"
    with root():
        actor.tell(["hold", started, str(gate)])
        noted(started)
        actor.tell(["die", "SIGKILL"])
        for number in range(20):
            actor.tell(number)
        actor.tell("surely", reliable=True)
    gate.touch()
    until(lambda: actor.history()[-1].incarnation == 2, what="the next life")
    assert [message for message, _ in actor.ask("handled", 30)] == [*range(20), "surely"]
    found = actor.ask("spans", 30)
    assert [one.attributes["understudy.actor.incarnation"] for one in found] == [2] * 21
    sent = [one.span for one in here.taken() if one.name == "tell mortal"]
    assert [one.parent for one in found] == sent[2:]


def test_what_waits_for_room_in_a_mailbox_that_drops_the_oldest_keeps_its_trace(system, here, tmp_path):
    actor = system.spawn(Traced, name="full", mailbox__size=5, mailbox__on_full="drop_oldest")
    started, gate = str(tmp_path / "started"), tmp_path / "gate"
    actor.tell(["hold", started, str(gate)])
    noted(started)
    with root():
        for number in range(50):
            actor.tell(number)
    gate.touch()
    until(lambda: (handled := actor.ask("handled", 30)) and handled[-1][0] == 49, what="the last of them")
    handled = [(number, span) for number, span in actor.ask("handled", 30) if isinstance(number, int)]
    assert 5 <= len(handled) <= 15
    found = {one.span: one.parent for one in actor.ask("spans", 30)}
    sent = [one.span for one in here.taken() if one.name == "tell full"]
    assert [found[span] for _, span in handled] == [sent[number] for number, _ in handled]


def test_an_actor_gets_the_api_with_the_first_message_of_a_trace_and_without_the_sdk_passes_it_on(system, here):
    middle, last = system.spawn(Apart), system.spawn(Traced, name="last")
    middle.tell("modules")
    assert middle.ask("modules", 30) == []
    with root():
        assert middle.ask((last, "current"), 30) != 0
    assert "opentelemetry.trace" in middle.ask("modules", 30)
    assert middle.ask((last, "current"), 30) == 0
    named = by_name(here.taken(), last.ask("spans", 30))
    (asked,) = [name for name in named if name.startswith("ask ")]
    assert lineage(named, "handle last") == ["handle last", asked, "root"]


def test_the_import_of_the_api_is_none_of_the_handlers_time(system, here):
    actor = system.spawn(Apart, "slow")
    with root():
        assert "opentelemetry.trace" in actor.ask("modules", 30)


def test_where_the_api_cannot_be_had_a_message_of_a_trace_is_handled_all_the_same(system, here):
    actor = system.spawn(Apart, "blocked")
    with root():
        assert actor.ask("modules", 30) == []
        actor.tell("modules")
    assert actor.ask("modules", 30) == []


BARE = """
import sys

class Blocked:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] == "opentelemetry":
            raise ImportError(f"{name} was asked for")

sys.meta_path.insert(0, Blocked())

from understudy import ActorSystem, Process

class Adder(Process):
    def __receive__(self, number):
        return number + 1, sorted(name for name in sys.modules if name.startswith("opentelemetry"))

with ActorSystem() as system:
    adder = system.spawn(Adder)
    for number in range(1000):
        adder.tell(number)
    print(adder.ask(1, 30), [name for name in sys.modules if name.startswith("opentelemetry")])
"""


def test_a_program_without_opentelemetry_never_asks_for_it(tmp_path):
    script = tmp_path / "bare.py"
    script.write_text(BARE)
    done = python(str(script), cwd=tmp_path)
    assert (done.returncode, done.stdout, done.stderr) == (0, "(2, []) []\n", "")
