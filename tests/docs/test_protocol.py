"""docs/protocol.md says what the code speaks: kinds, fields, types, words, verbs, keys and limits."""

from __future__ import annotations

import inspect
import re
import types
import typing
from dataclasses import fields

import pytest

from tests.docs.pages import ROOT, blocks, sections, tables
from understudy import tracing
from understudy.config import ProcessConfig
from understudy.engine import link, streams, telling
from understudy.observe import interest, journal, publisher
from understudy.router import control, door, logs, orders, rates, remembered, replies, roles
from understudy.router import fields as fields_
from understudy.router.reports import READERS
from understudy.stats import KEPT_ERRORS, KEPT_LAPS, ErrorEvent, Stats
from understudy.status import ActorInfo, Health, Role, Status, Summary
from understudy.timing import HOOKS, KEPT, Timers
from understudy.wire import arena, audience, bulk, codec, keys, letters, messages, sealing, sockets, stock
from understudy.wire.messages import ORDERS, REPORTS, Identity
from understudy.wire.sockets import curve, frames, hub, line, mail

PATH = ROOT / "docs" / "protocol.md"
TEXT = PATH.read_text(encoding="utf-8")
CHAPTERS = sections(TEXT, 2)
KINDS = {cls.KIND: cls for cls in (*REPORTS, *ORDERS)}
ENTRIES = {**sections(CHAPTERS["Reports"], 3), **sections(CHAPTERS["Orders"], 3)}
WORDS = {str: "text", int: "integer", bool: "boolean", bytes: "bytes", float: "number", dict: "map", type(None): "nil"}


def told(hint: typing.Any) -> str:
    """A type as the page names it."""
    plain, inner = typing.get_origin(hint) or hint, typing.get_args(hint)
    if plain is types.UnionType:
        return " or ".join(told(part) for part in inner)
    if plain is typing.Annotated:
        return told(inner[0])
    return f"array of {told(inner[0])}" if plain is list else WORDS[plain]


def declared(kind: str) -> dict[str, typing.Any]:
    """The fields of a kind as the code has them, in their order; frames are no field of the envelope."""
    cls = KINDS[kind]
    hints = typing.get_type_hints(cls, include_extras=True)
    return {one.name: hints[one.name] for one in fields(cls) if one.name != "frames"}


def described(kind: str) -> list[list[str]]:
    found = tables(ENTRIES[kind])
    return found[0] if found else []


def test_the_page_names_the_version_that_the_code_speaks():
    assert re.findall(r"^Protocol version: \*\*(\d+)\*\*", TEXT, re.MULTILINE) == [str(codec.VERSION)]


def test_every_kind_of_message_has_its_entry_in_the_order_of_the_dialogue():
    assert [title for title in ENTRIES if title in KINDS] == list(KINDS)
    assert [title for title in ENTRIES if title not in KINDS] == ["Measures", "Statistics", "Log records"]


@pytest.mark.parametrize("kind", KINDS)
def test_the_fields_of_a_kind_stand_in_the_order_of_the_wire_with_their_types(kind):
    assert [(name, type_) for name, type_, _ in described(kind)] == [
        (name, told(hint)) for name, hint in declared(kind).items()
    ]
    if not declared(kind):
        assert "It has no fields." in " ".join(ENTRIES[kind].split())


@pytest.mark.parametrize("kind", KINDS)
def test_frames_are_described_where_there_are_some_and_their_tag_comes_last(kind):
    has_frames = "frames" in {one.name for one in fields(KINDS[kind])}
    assert has_frames == ("\nFrames: " in ENTRIES[kind])
    assert has_frames == (list(declared(kind))[-1:] == ["tag"])


def test_where_only_some_words_are_let_through_the_page_lists_them():
    closed = [
        (meaning, typing.get_args(hint)[1])
        for kind in KINDS
        for (_, hint), (_, _, meaning) in zip(declared(kind).items(), described(kind), strict=True)
        if typing.get_origin(hint) is typing.Annotated
    ]
    assert len(closed) == 9
    for meaning, words in closed:
        one_of, empty, _ = re.sub(r"\([^)]*\)", "", meaning.partition("one of ")[2]).partition("; empty: ")
        assert re.findall(r"`(\w+)`", one_of) == [word for word in words if word]
        assert bool(empty) == ("" in words)


def test_the_envelope_is_described_in_its_order():
    positions = [row[:2] for row in tables(CHAPTERS["Envelopes"])[0]]
    identity = [one.name for one in fields(Identity)]
    assert positions == [[str(at), name] for at, name in enumerate(["version", "kind", *identity])] + [["6…", ""]]


def test_every_control_verb_has_its_entry_in_the_order_of_the_code():
    titles = list(sections(CHAPTERS["The control socket"], 3))
    assert titles == [*control.VERBS, "Errors", "Rows"]


@pytest.mark.parametrize("verb", control.VERBS)
def test_the_fields_of_a_verb_are_described_in_their_order_with_their_types_and_whether_they_may_be_left_out(verb):
    entry, declared = sections(CHAPTERS["The control socket"], 3)[verb], control.VERBS[verb].fields
    if not declared:
        assert "No keys." in entry
        return
    described = tables(entry)[0]
    assert [(key, type_) for key, type_, _ in described] == [(key, one.type) for key, one in declared.items()]
    for key, _, meaning in described:
        assert ("left out" in meaning or meaning.startswith("as of")) == (not declared[key].required), key


@pytest.mark.parametrize("verb", control.VERBS)
def test_the_function_of_a_verb_takes_the_fields_that_the_table_declares(verb):
    parameters = list(inspect.signature(control.VERBS[verb].act).parameters)
    assert parameters == ["desk", *control.VERBS[verb].fields]


def test_the_page_says_which_verbs_a_key_makes_unique():
    told = TEXT.partition("**Asking again.**")[2].partition(" change something")[0]
    assert re.findall(r"`(\w+)`", told) == [name for name, verb in control.VERBS.items() if verb.changes]


def test_the_heads_of_requests_and_the_journal_are_bounded_as_the_page_says():
    page = " ".join(TEXT.split())
    mib = 1 << 20
    assert f"at most {fields_.MOST_GLOBS} are globs" in page
    for number in (fields_.LONGEST_ID, fields_.LONGEST_NAME, fields_.MOST_NAMES, remembered.KEPT):
        assert f"{number:,} " in page
    assert f"up to {replies.BACKLOG // mib} MiB more wait" in page
    assert f"of 1 to {fields_.LONGEST_KEY} characters" in page
    assert f"of at most {remembered.KEPT_BYTES // mib} MiB together" in page
    assert f"at most {control._ENVELOPE_FRAMES} frames of {control._ENVELOPE_BYTES:,} bytes" in page
    assert f"has at most {publisher.LONGEST_TEXT:,} characters" in page
    assert f"more than {publisher.HEADS:,} names" in page
    assert f"A topic has at most {audience.LONGEST_TOPIC} bytes" in page
    assert f"from 1 to {journal.PAGE:,}" in page
    assert f"about {journal.PAGE_BYTES >> 10} KiB" in page
    kept = dict(tables(sections(CHAPTERS["The status stream"], 3)["What is kept"])[0])
    assert kept == {
        "`state` `health` `restart` `held` `pause` `group` `report`": (
            f"the last {journal.EVENTS:,} events, of at most {journal.EVENT_BYTES // mib} MiB together"
        ),
        **dict.fromkeys(
            map("`{}`".format, journal.FLOODS),
            f"the last {journal.LOG_EVENTS:,}, of at most {journal.LOG_BYTES // mib} MiB together",
        ),
        "`laps` `progress` `figures`": (
            "the latest of each actor and kind, while the actor is listed; "
            f"at most {journal.EVENTS:,}, of at most {journal.EVENT_BYTES // mib} MiB together"
        ),
    }
    kinds = [kind for row in kept for kind in re.findall(r"`(\w+)`", row)]
    told = [row[0].strip("`") for row in tables(sections(CHAPTERS["The status stream"], 3)["Events about an actor"])[1]]
    assert sorted(kinds) == sorted(told)
    assert set(re.findall(r"`(\w+)`", list(kept)[3])) == journal.STANDING


def test_a_row_is_described_with_its_keys_in_order_and_their_types():
    rows = tables(sections(CHAPTERS["The control socket"], 3)["Rows"])[0]
    hints = typing.get_type_hints(ActorInfo)
    plain = {Status: str, Health: str, Stats | None: dict | None, tuple[str, ...]: list[str]}
    assert [(name, re.split("[;:]", type_)[0]) for name, type_ in rows] == [
        (name, told(plain.get(hints[name], hints[name]))) for name in ActorInfo("a", 1).to_dict()
    ]


def test_statistics_are_described_with_their_keys_in_order_and_their_types():
    told_as = [(row[0], row[1]) for row in tables(sections(CHAPTERS["Reports"], 3)["Statistics"])[0]]
    hints = {**typing.get_type_hints(Stats), "mean_lap": float | None}
    plain = {name: "array" if typing.get_origin(hints[name]) is tuple else told(hints[name]) for name in hints}
    assert told_as == [(name, plain[name]) for name in Stats().to_dict()]
    assert f"the last {KEPT_ERRORS:,} failures" in TEXT
    assert f"the last {KEPT_LAPS:,} times of laps" in TEXT
    assert all(f"`{one.name}`" in TEXT for one in fields(ErrorEvent))


def test_a_summary_is_described_with_all_its_keys_in_order():
    entry = sections(CHAPTERS["The control socket"], 3)["summary"]
    assert [word for word in re.findall(r"`(\w+)`", entry) if word in {one.name for one in fields(Summary)}] == [
        one.name for one in fields(Summary)
    ]


def test_statuses_and_healths_are_all_named():
    assert re.findall(r"`([A-Z]+)`", TEXT.partition("\nStatuses are ")[2].partition(";")[0]) == [*Status]
    health = next(line for line in TEXT.splitlines() if line.startswith("| health | text"))
    assert re.findall(r"`(\w+)`", health) == [*Health]


def test_the_tag_of_the_page_is_the_tag_of_the_code(capsys):
    example, output = (block for block in blocks(PATH) if block.mark in {"run", "output"})
    space: dict[str, typing.Any] = {}
    exec(example.text, space)  # noqa: S102 - it is our own page
    assert capsys.readouterr().out == output.text
    for parts in ([b""], [b"pickle"], [b"p", b""], [b"p", b"a" * 300, b"b"], [bytes(70_000)] * 5):
        assert space["tag"](b"k" * keys.KEY_BYTES, parts) == keys.tag(b"k" * keys.KEY_BYTES, parts)
    assert (keys.KEY_BYTES, keys.TAG_BYTES) == (32, 16)


def test_the_forms_of_messages_and_the_fields_of_loans_are_those_of_the_code():
    forms, loan = tables(CHAPTERS["Messages"])
    assert [int(row[0]) for row in forms] == [sealing.INLINE, sealing.PACKED, sealing.PICKLED, sealing.CALLED]
    assert [(int(place), field) for place, field, _ in loan] == list(enumerate(bulk.Loan._fields))
    assert (sealing.SMALL, bulk.BULK, arena.TABLE, arena.LEAST) == (4 << 10, 1 << 20, 4096, 1 << 20)
    numbers = [sealing.PICKLED, *range(1, 7), *[0] * 6]
    told = sealing._told(sealing.PICKLED, [bulk.Loan(*range(1, 7)), None])
    assert told == b"".join(number.to_bytes(8, "little") for number in numbers)


def test_the_limits_are_those_of_the_code():
    mib = 1 << 20
    rows = {what: limit for what, limit, _ in tables(CHAPTERS["Limits"])[0]}
    assert rows == {
        "an envelope": f"{codec.MAX_ENVELOPE // mib} MiB",
        "frames of one report": f"{codec.MAX_FRAMES:,}",
        "one frame on `reports`": "1 GiB + 1 MiB",
        "one frame on `control`": f"{sockets.MAX_CONTROL // mib} MiB",
        "one event": "1 MiB",
        "connections to `status` and `control` together": (
            f"1 in {door.SHARE} of the descriptors that the parent may open"
        ),
        "the first frame of a letter, or of an answer": f"{letters.MAX_HEAD // mib} MiB",
        "frames of one letter": f"{codec.MAX_FRAMES:,}",
        "a *seq*": f"2<sup>{letters._LARGEST.bit_length()}</sup> - 1",
        "a sender's name": f"{letters.MAX_NAME} characters",
        "a trace context": f"{tracing.MAX_CONTEXT >> 10} KiB",
        "one frame of a letter": f"{codec.MAX_PART >> 30} GiB",
        "answers queued for one sender": f"{mail._WORDS} for each message of `mailbox.size`, and {mail._SPARE:,}",
        "lent between two processes at a time, each way": f"{stock.LIMIT // mib} MiB",
        "reports queued in an actor": f"{line._CHILD_HWM:,}",
        "events queued for a client": f"{frames.STATUS_HWM:,}",
        "requests of a client queued": f"{hub.REQUESTS}",
        "replies queued for a client": f"{hub.REPLIES}",
        "one frame on `status` or `commands`": f"{sockets.MAX_SUBSCRIPTION >> 10} KiB",
        "topics on `status` that are told apart": f"{audience.MOST_TOPICS:,}",
        "reports of one actor queued in the parent": f"{hub._PARENT_HWM:,}",
        "log records of one actor that wait for the parent's handlers": f"{logs.EACH // mib} MiB",
        f"log records of all actors that wait for them, beyond {logs.MODEST >> 10} KiB of each": (
            f"{logs.ALL // mib} MiB"
        ),
    }
    assert f"at most {telling._TEXT_LIMIT:,} characters" in TEXT
    assert f"at most {telling._NAME_LIMIT:,} characters" in TEXT
    assert f"have {streams._SIZE >> 10} KiB at the most" in TEXT
    assert f"({ProcessConfig().limits.records:,}); what is beyond" in TEXT
    assert f"after {orders._FIRST_AGAIN:g} s, then after twice" in " ".join(TEXT.split())
    assert f"up to every {orders._LONGEST_AGAIN:g} s" in TEXT
    assert f"every {1000 * link._PROGRESS_EVERY:g} ms" in TEXT
    assert f"the last {KEPT:,} times" in TEXT


def test_every_report_of_the_page_is_read_by_the_router():
    assert {cls.KIND for cls in READERS} | {"log", "letter"} == {cls.KIND for cls in REPORTS}


def test_the_longest_error_that_is_told_fits_into_an_envelope():
    timers = Timers().used(HOOKS.values())
    for slot in (*HOOKS.values(), "full_loop"):
        for _ in range(KEPT + 1):
            getattr(timers, slot).add_time(0.1)
    long = "\N{GRINNING FACE}" * 200_000
    told = telling.Told(type(long, (Exception,), {})(long))
    told.fill()
    stats = Stats(0.1, 0.2, 1, 1, 0.1, 0.1, 0.1, recent=(0.1,) * KEPT_LAPS)
    measures = {"timers": timers.state(), "stats": stats.to_dict()}
    error = messages.Error("loop", 1, "", None, told.name, told.text, told.story, measures, None)
    identity = Identity("system", 1, 1, 1)
    assert codec.decode(codec.encode(identity, error)) == (identity, error)


def test_text_that_is_no_utf_8_travels_as_it_is():
    identity, note = Identity("system", 1, 1, 1), "caf\udce9 \ud83d"
    frames = codec.encode(identity, messages.Progress(1.0, note))
    assert b"caf\xed\xb3\xa9 \xed\xa0\xbd" in frames[0], "each as the three bytes that UTF-8 would give it"
    assert codec.decode(frames)[1].note == note


def test_over_a_network_the_page_names_what_observers_may_do_and_the_bounds_of_the_code():
    page = " ".join(CHAPTERS["Over a network"].split())
    looks = page.partition("**What an observer sees.** Verbs: ")[2].partition(".")[0]
    assert re.findall(r"`(\w+)`", looks) == [
        name for name, verb in control.VERBS.items() if roles.may(Role.OBSERVER, verb.least)
    ]
    hidden = re.findall(r"`(\w+)`", page.partition("In rows ")[2].partition(" are nil")[0])
    assert set(hidden) == set(ActorInfo("a", 1).to_dict()) - roles.ROW
    assert f"come as kind `{interest.WITHHELD}`" in page
    assert f"{rates.PER_SECOND:.0f} of one key, and {rates.AT_ONCE:.0f} at once" in page
    assert f"sent every {curve.BEAT_SECONDS:.0f} s on both sides" in page
    assert f"silent for {curve.SILENCE_SECONDS:.0f} s is cut off" in page
    assert f"over within {curve.HANDSHAKE_SECONDS:.0f} s" in page
