"""Sparklines, the bytes of keys, tables that fit, figures for people: the pure parts of what is shown."""

from __future__ import annotations

import pytest

from understudy.cli import formats
from understudy.cli.keyboard import Decoder
from understudy.cli.sheet import Column, lay, plain
from understudy.cli.sparks import Trail


def test_a_sparkline_has_the_highest_of_each_stretch_and_nothing_where_nothing_was():
    trail = Trail()
    for at, value in ((1.0, 50.0), (2.0, 100.0), (59.0, 0.0)):
        trail.add(at, value)
    assert trail.spark(60.0, 6, least=0.0) == "█    ▁"


def test_what_is_older_than_a_minute_is_forgotten():
    trail = Trail()
    trail.add(0.0, 100.0)
    trail.add(61.0, 0.0)
    assert trail.spark(61.0, 4, least=0.0) == "   ▁"
    assert trail.spark(200.0, 4, least=0.0) == "    "


def test_what_hardly_changes_is_flat():
    trail = Trail()
    for second in range(60):
        trail.add(float(second), 100.0 + second % 2)
    assert set(trail.spark(59.0, 10)) <= {"▁", "▂"}


KEYS = {
    b"q": ["q"],
    b"nK": ["n", "K"],
    b"\x1b[A\x1b[B": ["up", "down"],
    b"\x1bOA\x1bOF": ["up", "end"],
    b"\x1b[5~\x1b[6~\x1b[H\x1b[4~": ["page up", "page down", "home", "end"],
    b"\r\x7f": ["enter", "backspace"],
    "é".encode(): ["é"],
    b"\x1b[1;5Cx": ["x"],
    b"\x00\x01y": ["y"],
    b"\x1bq": ["escape", "q"],
    b"\xff\xfeq": ["\ufffd", "\ufffd", "q"],
}


@pytest.mark.parametrize("at_once", [True, False])
def test_bytes_of_a_terminal_become_keys_however_they_arrive(at_once):
    for typed, keys in KEYS.items():
        decoder = Decoder()
        parts = [typed] if at_once else [bytes([byte]) for byte in typed]
        assert [key for part in parts for key in decoder.feed(part)] == keys
        assert not decoder.is_waiting


def test_an_escape_alone_is_a_key_once_nothing_follows():
    decoder = Decoder()
    assert decoder.feed(b"\x1b") == []
    assert decoder.is_waiting
    assert decoder.give_up() == ["escape"]
    assert decoder.feed(b"[") == ["["]


def test_what_was_begun_and_never_ended_is_no_key():
    decoder = Decoder()
    assert decoder.feed(b"\x1b[" + b"1" * 100) == []
    assert decoder.give_up() == []
    assert decoder.feed(b"q") == ["q"]


ROWS = ("ada", "bartholomew")
COLUMNS: tuple[Column[str], ...] = (
    Column("name", lambda row: row, 9),
    Column("length", lambda row: str(len(row)), 1, right=True),
    Column("twice", lambda row: row * 2, 5),
)


def test_a_table_keeps_the_columns_that_fit():
    for width, head, row in (
        (None, "name         length  twice", "ada               3  adaada"),
        (43, "name         length  twice", "ada               3  adaada"),
        (42, "name         twice", "ada          adaada"),
        (20, "name", "ada"),
        (3, "na…", "ada"),
    ):
        laid = lay(COLUMNS, ROWS, width)
        assert (plain(laid.head()), plain(laid.line("ada"))) == (head, row)


def test_times_are_as_long_as_they_need_to_be():
    for seconds, text in (
        (None, "-"),
        (-1, "0.0 s"),
        (3.21, "3.2 s"),
        (59.9, "59 s"),
        (61, "1:01"),
        (7384, "2:03:04"),
        (3 * 86400 + 4 * 3600 + 300, "3 d 04:05"),
    ):
        assert formats.span(seconds) == text


def test_short_times_have_the_unit_that_suits_them():
    assert [formats.brief(seconds) for seconds in (None, 2.5, 0.0123, 4e-6, 1e-8)] == [
        "-", "2.5 s", "12.3 ms", "4 µs", "0.01 µs",
    ]  # fmt: skip


def test_memory_goes_over_to_gib():
    assert [formats.mib(size) for size in (None, 0.04, 1023.9, 1536.0)] == ["-", "0.0 MiB", "1023.9 MiB", "1.50 GiB"]


def test_what_would_steer_a_terminal_is_made_visible():
    assert formats.shown("a\x1b[31mb\x07\tc\nd") == "a\\x1b[31mb\\x07\tc\nd"
    assert formats.first_line("one\ntwo") == "one"
    assert formats.first_line(None) == ""
