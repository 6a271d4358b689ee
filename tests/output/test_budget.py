"""One answer about output is bounded as a whole, and what does not fit into it comes with the next ones."""

from __future__ import annotations

from itertools import islice, pairwise
from pathlib import Path

import pytest

from tests.stage import until
from understudy import ActorSystem, Process, Remote
from understudy.router.outputs import MOST_BYTES, MOST_LINES
from understudy.router.shelf import Entry, Shelf
from understudy.router.sources import Budget, Source, gathered
from understudy.wire.codec import pack

FILE = {"output": "file"}
STREAMS = ("stdout", "stderr")
LINE = 1 << 16


@pytest.fixture
def sources(tmp_path):
    found = []
    for name in "abcdef":
        (tmp_path / name).mkdir()
        found.append(Source(name, str(tmp_path / name), name, 1, 1, ended=False))
        for stream in STREAMS:
            (tmp_path / name / stream).touch()
    return found


def append(path: Path, text: str) -> None:
    with path.open("a") as file:
        file.write(text)


def answers(sources, marks, turn, *, lines=10_000):
    """What comes answer by answer, until one is empty."""
    while True:
        budget = Budget(MOST_LINES, MOST_BYTES)
        rows, marks, turn = gathered(sources, marks, budget, lines, turn, evenly=False, tails=False)
        if not rows:
            return
        assert len(rows) <= MOST_LINES
        assert sum(map(len, map(pack, rows))) <= MOST_BYTES + 4 * LINE
        yield rows


def test_empty_lines_are_charged_what_their_rows_take(sources, tmp_path):
    for source in sources:
        for stream in STREAMS:
            (tmp_path / source.name / stream).write_text("\n" * 3_000)
    gathered_rows = [row for rows in answers(sources, {}, 0) for row in rows]
    assert len(gathered_rows) == len(sources) * len(STREAMS) * 3_000


def test_nothing_is_lost_and_nothing_twice_where_lines_are_long_or_no_text(sources, tmp_path):
    lines = {}
    for number, source in enumerate(sources):
        for stream in STREAMS:
            lines[source.name, stream] = [b"%d" % index + b"\xff" * (LINE // 2 + number) for index in range(4)]
            (tmp_path / source.name / stream).write_bytes(b"".join(line + b"\n" for line in lines[source.name, stream]))
    told: dict[tuple[str, str], list[str]] = {}
    for rows in answers(sources, {}, 0):
        for row in rows:
            told.setdefault((row["name"], row["stream"]), []).append(row["text"])
    assert told == {key: [line.decode(errors="replace") for line in some] for key, some in lines.items()}


def test_who_writes_without_end_keeps_nobody_waiting(sources, tmp_path):
    for source in sources:
        (tmp_path / source.name / "stdout").write_text("x" * 100 + "\n")
        (tmp_path / source.name / "stderr").write_text(("y" * 1_000 + "\n") * 8_000)
    heard = [{(row["name"], row["stream"]) for row in rows} for rows in islice(answers(sources, {}, 0), 8)]
    both = {(source.name, stream) for source in sources for stream in STREAMS}
    assert set.union(*heard) == both


def test_a_first_answer_is_shared_evenly_and_goes_on_behind_what_it_left_out(sources, tmp_path):
    for source in sources:
        for stream in STREAMS:
            (tmp_path / source.name / stream).write_text("\n" * 5_000)
    budget = Budget(MOST_LINES, MOST_BYTES)
    rows, marks, turn = gathered(sources, {}, budget, MOST_LINES, 0, evenly=True, tails=True)
    counts = [sum(row["name"] == s.name and row["stream"] == t for row in rows) for s in sources for t in STREAMS]
    assert all(abs(one - other) <= 1 + one // 10 for one, other in pairwise(counts))
    assert len(rows) <= MOST_LINES
    assert not list(answers(sources, marks, turn))
    append(tmp_path / "f" / "stderr", "last\n")
    assert [row["text"] for rows in answers(sources, marks, turn) for row in rows] == ["last"]


@pytest.mark.parametrize("text", ["\u20ac" * 100_000, "x" + "\U0001f600" * 100_000, "\udc80" * 100_000, "x" * 100_000])
def test_records_are_kept_by_their_bytes(text):
    shelf = Shelf()
    for _ in range(200):
        shelf.add(1, "a", 1, {"levelname": "INFO", "name": "n", "msg": text})
    kept: list[Entry] = shelf.entries()
    sizes = [len(entry.text.encode(errors="surrogatepass")) for entry in kept]
    assert sizes == [entry.size for entry in kept]
    assert LINE - 4 < max(sizes) <= LINE
    assert sum(sizes) <= 8 << 20
    assert len(kept) > 100


def test_a_follower_of_a_flood_gets_all_of_it_and_its_cursor_goes_on(tmp_path, nothing_is_left_behind):
    class Waits(Process):
        def __loop__(self):
            self.sleep(600)

    with ActorSystem(output_dir=tmp_path) as system, Remote(system.endpoint, timeout=60) as remote:
        refs = [system.spawn(Waits, name=f"a{number}", config=FILE) for number in range(2)]
        for ref in refs:
            ref.wait_ready(60)
        cursor = remote.logs(lines=1).cursor
        for ref in refs:
            for stream in STREAMS:
                append(tmp_path / ref.name / stream, "\n" * 5_000)
        counts: dict[str, int] = {}

        def all_came() -> bool:
            nonlocal cursor
            found = remote.logs(lines=10_000, after=cursor)
            assert len(found.entries) <= MOST_LINES
            cursor = found.cursor
            for entry in found.entries:
                counts[entry.name] = counts.get(entry.name, 0) + 1
            return sum(counts.values()) >= 20_000

        until(all_came, 60, "all lines")
        assert counts == {"a0": 10_000, "a1": 10_000}
        assert remote.logs(after=cursor).entries == ()
        for ref in refs:
            ref.kill()
