"""What goes along with a message of its sender's trace: what is written, what is let through, what is passed over."""

from __future__ import annotations

import functools
import random
from contextlib import contextmanager
from contextvars import copy_context
from typing import Any

import msgpack
import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry import context, propagate, trace
from opentelemetry.baggage import set_baggage
from opentelemetry.propagators.composite import CompositePropagator
from opentelemetry.trace import NonRecordingSpan, SpanContext, TraceFlags, use_span

from tests.messages import forger
from tests.messages.forger import CONTEXT, Forger
from tests.stage import Keeps
from understudy import tracing
from understudy.engine.entries import NOBODY, Single
from understudy.engine.spans import Spans
from understudy.errors import ProtocolError
from understudy.receiving.handlers import Handler
from understudy.tracing import MAX_CONTEXT, arrived, bounded
from understudy.wire import letters
from understudy.wire.letters import Seal

SYSTEM, UID = "a-system", 7
SPAN = SpanContext(0x0AF7651916CD43DD8448EB211C80319C, 0xB7AD6B7169203331, is_remote=False, trace_flags=TraceFlags(1))
OTHER = SpanContext(5, 6, is_remote=False)
pytestmark = pytest.mark.requirement("A7")


@pytest.fixture
def propagators():
    """Sets those of this process, for one test."""
    before = propagate.get_global_textmap()
    yield propagate.set_global_textmap
    propagate.set_global_textmap(before)


def within(span: SpanContext = SPAN) -> Any:
    return use_span(NonRecordingSpan(span))


def sent(kind: str, content: list[Any]) -> letters.Inbound:
    """What the mailbox reads of a letter that was packed as a sender packs it."""
    packer = letters.Packer(SYSTEM)
    head = packer.heading(kind, UID, 1, 1, "") + packer.pack(1) + packer.pack(content)
    return letters.decode_inbound(head, SYSTEM, UID)


def read(frames: forger.Frames) -> Any:
    return letters.decode_inbound(frames[0], SYSTEM, UID).content


# --- what is written


def test_within_a_span_its_context_goes_along_and_elsewhere_none_does():
    assert tracing.carried() is None
    with within():
        assert tracing.carried() == {"traceparent": CONTEXT["traceparent"]}
    with within(trace.INVALID_SPAN_CONTEXT):
        assert tracing.carried() is None
    assert tracing.carried() is None


def test_what_the_global_propagators_write_goes_along(propagators):
    token = context.attach(set_baggage("customer", "ada"))
    try:
        assert tracing.carried() is None, "there is no span that it would go along with"
        with within():
            assert tracing.carried() == {"traceparent": CONTEXT["traceparent"], "baggage": "customer=ada"}
            propagators(CompositePropagator([]))
            assert tracing.carried() is None
    finally:
        context.detach(token)


def test_a_propagator_that_fails_keeps_no_message_from_its_way(propagators):
    class Broken(CompositePropagator):
        def inject(self, *_, **__):
            raise OSError("no room")

        def extract(self, *_, **__):
            raise OSError("no ears")

    propagators(Broken([]))
    heard = Keeps()
    tracing._log.addHandler(heard)
    try:
        with within():
            assert tracing.carried() is None
        assert spanned(CONTEXT) is HANDLER
    finally:
        tracing._log.removeHandler(heard)
    assert [record.getMessage() for record in heard.records] == [
        "a message goes without its trace context: OSError: no room",
        "a message's trace context was passed over: OSError: no ears",
    ]


def test_of_what_is_too_long_what_fits_goes_along():
    long = {"traceparent": "p" * 55, "baggage": "b" * MAX_CONTEXT, "tracestate": "s" * 100}
    assert bounded(long) == {"traceparent": "p" * 55, "tracestate": "s" * 100}
    full = {"k": "v" * (MAX_CONTEXT - 1)}
    assert bounded(full) == full
    assert bounded({"k": "v" * MAX_CONTEXT}) is None
    assert bounded({"k": "é" * (MAX_CONTEXT // 2)}) is None, "bytes are counted"
    assert bounded({"a": b"1", 2: "b", "c": None, "d": "\udcff"}) == {"d": "\udcff"}
    assert bounded({}) is None


def test_a_span_that_is_ended_in_another_context_changes_nothing_there():
    """As one of a coroutine that nobody awaits any more, which the garbage collector closes amid anything."""
    known = tracing.api()
    assert known is not None
    ended = known.within("name", "CLIENT", {})
    copy_context().run(ended.__enter__)
    with within(OTHER):
        ended.__exit__(None, None, None)
        assert trace.get_current_span().get_span_context() == OTHER


# --- on its way


SEALS = {"plain": Seal(0, b"\x01", None, ()), "tagged": Seal(2, None, bytes(16), ())}


@pytest.mark.parametrize("seal", SEALS.values(), ids=SEALS)
@pytest.mark.parametrize("carrier", [None, CONTEXT, {"\udcff": "é"}], ids=["none", "one", "odd"])
def test_a_context_arrives_with_a_tell_and_with_an_ask_as_it_was_sent(seal, carrier):
    seal = seal._replace(context=carrier)
    told = sent(letters.TELL, seal.told(urgent=True, reliable=False)).content
    assert told == letters.Told(seal._replace(loans=[]), urgent=True, reliable=False)
    asked = sent(letters.ASK, seal.numbered(5)).content
    assert asked == letters.Asked(seal._replace(loans=[]), 5)


def test_a_message_without_a_context_is_sent_as_it_was_before_there_were_any():
    seal = SEALS["plain"]
    assert seal.told(urgent=False, reliable=True) == [0, b"\x01", None, (), False, True]
    assert seal.numbered(5) == [0, b"\x01", None, (), 5]


LONG = {"a": "x" * MAX_CONTEXT}
NONE_OF_IT = [*forger.ODD, *forger.ODD_LOANS, {}, {1: "a"}, {"a": b"b"}, {"a": ["b"]}, {**CONTEXT, "c": None}, LONG]


@pytest.mark.fault("F52")
@pytest.mark.parametrize("odd", NONE_OF_IT, ids=lambda odd: repr(odd)[:30])
def test_what_is_no_context_is_passed_over_and_the_message_is_not(odd):
    right = Forger(SYSTEM, UID)
    told = letters.decode_inbound(_packed(right.tell(forger.plain(1), "here")[0], odd), SYSTEM, UID).content
    assert told == letters.Told(Seal(0, b"\x01", None, []), urgent=False, reliable=False)
    asked = letters.decode_inbound(_packed(right.ask(forger.plain(1), 7, "here")[0], odd), SYSTEM, UID).content
    assert asked == letters.Asked(Seal(0, b"\x01", None, []), 7)


def _packed(frame: bytes, odd: Any) -> bytes:
    """That letter with the odd thing in the context's place."""
    assert frame.endswith(b"\xa4here")
    packed: bytes = msgpack.packb(odd, unicode_errors="surrogatepass")
    return frame[:-5] + packed


def test_a_context_made_by_who_has_read_the_page_is_read():
    right = Forger(SYSTEM, UID)
    assert read(right.tell(forger.plain(1), CONTEXT)).seal.context == CONTEXT
    assert read(right.ask(forger.plain(1), 7, CONTEXT)).seal.context == CONTEXT


def test_more_than_a_context_is_no_letter_and_an_answer_has_none():
    right = Forger(SYSTEM, UID)
    for frames in (right.tell(forger.plain(1), CONTEXT, CONTEXT), right.ask(forger.plain(1), 7, CONTEXT, None)):
        with pytest.raises(ProtocolError):
            read(frames)
    reply = right.back("reply", [*forger.plain(1)[:4], 7, CONTEXT])
    with pytest.raises(ProtocolError):
        letters.decode_outbound(reply[0], SYSTEM)


def test_a_full_context_fits_and_one_byte_more_does_not():
    full = {"k": "v" * (MAX_CONTEXT - 1)}
    right = Forger(SYSTEM, UID)
    assert read(right.tell(forger.plain(1), full)).seal.context == full
    assert read(right.tell(forger.plain(1), {"k": "v" * MAX_CONTEXT})).seal.context is None


VALUES = functools.reduce(
    lambda inner, _: st.one_of(st.text(), st.binary(), st.integers(), st.none(), st.lists(inner, max_size=3)),
    range(2),
    st.text(),
)


@given(st.one_of(VALUES, st.dictionaries(st.one_of(st.text(), st.integers()), VALUES, max_size=4)))
def test_whatever_came_is_a_context_as_it_is_or_none(value):
    found = arrived(value)
    assert found is None or found is value
    texts = isinstance(value, dict) and all(isinstance(part, str) for pair in value.items() for part in pair)
    assert (found is not None) == bool(texts and value)


# --- at its end

HANDLER = Handler("__receive__", lambda message: (message, trace.get_current_span().get_span_context()), is_async=False)


def spanned(carrier: dict[str, str] | None, spans: Spans | None = None) -> Handler:
    birth: Any = type("Birth", (), {"name": "it", "uid": 3, "incarnation": 2})
    return (spans or Spans(birth)).around(HANDLER, Single(NOBODY, 1, Seal(0, b"\x01", None, (), carrier), ()))


def test_a_handler_stands_below_the_span_whose_context_came():
    handler = spanned(CONTEXT)
    assert (handler.name, handler.is_async) == ("__receive__", False)
    message, span = handler("a message")
    assert message == "a message"
    assert span.trace_id == SPAN.trace_id
    assert not trace.get_current_span().get_span_context().is_valid


def test_what_an_interruption_amid_the_end_of_a_span_leaves_goes_when_the_section_is_closed(monkeypatch):
    """It may strike before the former context is set again; once the section is closed it can't."""
    birth: Any = type("Birth", (), {"name": "it", "uid": 3, "incarnation": 2})
    spans = Spans(birth)

    @contextmanager
    def torn(_name, _kind, _attributes, parent):
        context.attach(parent)
        yield

    monkeypatch.setattr(tracing.api(), "within", torn)
    with within(OTHER):
        spanned(CONTEXT, spans)("a message")
        assert trace.get_current_span().get_span_context().trace_id == SPAN.trace_id
        spans.settle()
        assert trace.get_current_span().get_span_context() == OTHER
        with within():
            spans.settle()
            assert trace.get_current_span().get_span_context() == SPAN, "it is done once"


def test_a_handler_is_left_alone_where_no_span_is_meant():
    chance = random.Random(8)  # noqa: S311 - the same each time
    right = CONTEXT["traceparent"]
    broken = ["", "-", right[:-1], right.replace("0af", "zzz"), "ff" + right[2:], f"00-{'0' * 32}-{'0' * 16}-01"]
    broken += [right[:at] + "g" + right[at + 1 :] for at in chance.sample(range(3, 52), 9)]
    assert spanned(None) is HANDLER
    for carrier in ({"tracestate": "a=b"}, {"baggage": "a=b"}, {"odd": "\udcff"}):
        assert spanned(carrier) is HANDLER
    for traceparent in broken:
        assert spanned({"traceparent": traceparent}) is HANDLER, traceparent
