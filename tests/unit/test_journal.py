"""The journal of the stream: whatever is put in, what is kept comes again in its order, and what is gone is told."""

from __future__ import annotations

from dataclasses import dataclass

from hypothesis import given
from hypothesis import strategies as st

from understudy.observe.journal import EVENTS, FLOODS, PAGE, PAGE_BYTES, STANDING, Journal

KINDS = ("state", "health", "report", "restart", "dead_letter", "log", "laps", "progress", "figures")
MOST, SIZE, MOST_LOGS, SIZE_LOGS = 6, 40, 3, 20


@dataclass(frozen=True)
class Put:
    """One event that was published."""

    seq: int
    kind: str
    uid: int
    body: bytes

    @property
    def standing(self) -> bool:
        return self.kind in STANDING


def body(seq: int, size: int) -> bytes:
    """Bytes that no other event has."""
    return seq.to_bytes(2, "big") + bytes(size)


def small() -> Journal:
    return Journal(events=MOST, event_bytes=SIZE, logs=MOST_LOGS, log_bytes=SIZE_LOGS)


def full(journal: Journal, since: int, limit: int, size: int) -> tuple[list[int], dict[str, int]]:
    """The seqs of all that is kept since then, page by page, and what the first page says is missing."""
    first = page = journal.since(since, limit, size)
    seqs: list[int] = []
    while True:
        assert len(page.bodies) <= limit
        assert len(page.bodies) <= 1 or sum(map(len, page.bodies)) <= size
        seqs += [int.from_bytes(one[:2], "big") for one in page.bodies]
        if not page.more:
            return seqs, first.missing
        assert page.bodies, "more, and yet nothing"
        page = journal.since(seqs[-1], limit, size)


def newest(events: list[Put], most: int, size: int) -> list[int]:
    """The seqs of the last events, as many as may be kept."""
    kept: list[int] = []
    for event in reversed(events):
        size -= len(event.body)
        if size < 0 or len(kept) == most:
            break
        kept.append(event.seq)
    return kept[::-1]


def put(journal: Journal, *what: tuple[str, int]) -> None:
    for seq, (kind, uid) in enumerate(what, 1):
        journal.add(seq, kind, uid, body(seq, 0))


OPERATIONS = st.lists(
    st.one_of(
        st.tuples(st.sampled_from(KINDS), st.integers(1, 3), st.integers(0, 30)),
        st.tuples(st.just("forget"), st.integers(1, 3)),
    ),
    max_size=40,
)


@given(OPERATIONS, st.integers(0, 45), st.integers(1, 5), st.integers(1, 60))
def test_whatever_is_put_in_a_replay_gives_what_is_kept_in_its_order_and_tells_truly_what_is_missing(
    operations: list[tuple[str, int, int] | tuple[str, int]], since: int, limit: int, size: int
):
    journal, events, forgotten = small(), list[Put](), dict[int, int]()
    for seq, operation in enumerate(operations, 1):
        if len(operation) == 2:
            journal.forget(operation[1])
            forgotten[operation[1]] = seq
        else:
            kind, uid, extra = operation
            events.append(Put(seq, kind, uid, body(seq, extra)))
            journal.add(seq, kind, uid, events[-1].body)

    got, missing = full(journal, since, limit, size)
    assert got == sorted(set(got))
    assert all(seq > since for seq in [*got, *missing.values()])

    lasting = [event for event in events if not event.standing and event.kind not in FLOODS]
    logs, letters = ([event for event in events if event.kind == kind] for kind in FLOODS)
    latest = {(event.uid, event.kind): event for event in events if event.standing}
    for kept, most, weight in ((lasting, MOST, SIZE), (logs, MOST_LOGS, SIZE_LOGS), (letters, MOST_LOGS, SIZE_LOGS)):
        wanted = [seq for seq in newest(kept, most, weight) if seq > since]
        assert [event.seq for event in kept if event.seq in got] == wanted
    standing = [event for event in events if event.seq in got and event.standing]
    assert all(latest[event.uid, event.kind] is event for event in standing), "one was superseded"
    assert not any(forgotten.get(event.uid, 0) > event.seq for event in standing), "one was to be forgotten"
    assert len(standing) <= MOST
    assert sum(len(event.body) for event in standing) <= SIZE

    due = {event.seq: event for event in [*lasting, *logs, *letters, *latest.values()] if event.seq > since}
    for event in due.values():
        assert (event.seq in got) or event.seq <= missing.get(event.kind, 0), f"{event} is missing, untold"
    for kind, seq in missing.items():
        assert seq not in got
        assert due[seq].kind == kind if seq in due else latest, "nothing of that kind went there"


def test_of_laps_progress_and_figures_the_latest_stands_for_those_before_it():
    journal = Journal()
    put(journal, ("laps", 1), ("figures", 1), ("laps", 2), ("laps", 1), ("progress", 1), ("figures", 1))
    assert full(journal, 0, 10, 1000) == ([3, 4, 5, 6], {})
    assert full(journal, 4, 10, 1000) == ([5, 6], {})


def test_a_flood_of_log_records_pushes_nothing_else_out_and_is_told():
    journal = small()
    put(journal, ("state", 1), *[("log", 1)] * 50, ("report", 1))
    assert full(journal, 0, 10, 1000) == ([1, 49, 50, 51, 52], {"log": 48})
    assert full(journal, 48, 10, 1000) == ([49, 50, 51, 52], {})


def test_what_is_gone_is_told_by_its_kind():
    journal = small()
    put(journal, ("health", 1), ("state", 1), *[("report", 1)] * (MOST - 1))
    assert full(journal, 0, 10, 1000)[1] == {"health": 1}
    journal.add(MOST + 2, "report", 1, b"")
    assert full(journal, 0, 10, 1000)[1] == {"health": 1, "state": 2}
    assert full(journal, 1, 10, 1000)[1] == {"state": 2}


def test_whoever_is_listed_no_more_takes_the_latest_of_its_events_along():
    journal = Journal()
    put(journal, ("state", 1), ("laps", 1), ("laps", 2), ("progress", 1))
    journal.forget(1)
    journal.forget(7)
    assert full(journal, 0, 10, 1000) == ([1, 3], {"laps": 2, "progress": 4})


def test_an_event_that_is_larger_than_a_page_comes_alone():
    journal = Journal()
    for seq in (1, 2, 3):
        journal.add(seq, "report", 1, body(seq, 100))
    page = journal.since(0, 10, 50)
    assert ([one[:2] for one in page.bodies], page.more) == ([b"\0\1"], True)
    assert full(journal, 0, 10, 50) == ([1, 2, 3], {})


def test_after_the_last_event_there_is_nothing_and_nothing_is_missing():
    journal = small()
    put(journal, *[("state", 1)] * 20)
    for since in (20, 21, 10**12):
        page = journal.since(since)
        assert (page.bodies, page.more, page.missing) == ([], False, {})


def test_a_full_journal_is_given_again_in_pages_of_the_size_that_is_promised():
    journal = Journal()
    for seq in range(1, EVENTS + 501):
        journal.add(seq, "state", seq % 7, seq.to_bytes(2, "big") + bytes(600))
    page = journal.since(0)
    assert page.more
    assert len(page.bodies) < PAGE
    assert PAGE_BYTES - 700 < sum(map(len, page.bodies)) <= PAGE_BYTES
    seqs, missing = full(journal, 0, PAGE, PAGE_BYTES)
    assert seqs == list(range(501, EVENTS + 501))
    assert missing == {"state": 500}
