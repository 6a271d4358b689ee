"""Lines of files that others write to."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from understudy.router.tailing import LONGEST, Mark, Share, last, latest, since
from understudy.wire.turning import is_copy_of, put_behind, tell_origin


def taken(share: Share) -> list[str]:
    lines, share.taken = share.taken, []
    return lines


def plenty() -> Share:
    return Share(10_000, 1 << 22)


def test_the_last_lines_and_from_where_to_go_on(tmp_path: Path):
    path = tmp_path / "f"
    path.write_text("one\ntwo\nthree\nfo")
    share = Share(2, 1000)
    mark = last(str(path), share, whole=False)
    assert taken(share) == ["two", "three"]
    with path.open("a") as file:
        file.write("ur\nfive\n")
    share = plenty()
    mark = since(str(path), mark, share, whole=False)
    assert taken(share) == ["four", "five"]
    assert since(str(path), mark, share, whole=False) == mark
    assert taken(share) == []


def test_an_unfinished_line_is_given_when_nobody_writes_any_more(tmp_path: Path):
    path = tmp_path / "f"
    path.write_text("one\ntw")
    share = plenty()
    mark = last(str(path), share, whole=False)
    assert taken(share) == ["one"]
    mark = since(str(path), mark, share, whole=True)
    assert taken(share) == ["tw"]
    last(str(path), share, whole=True)
    assert taken(share) == ["one", "tw"]


def test_only_what_was_written_from_a_place_on(tmp_path: Path):
    path = tmp_path / "f"
    path.write_text("old\nnew\nnewer\n")
    share = plenty()
    last(str(path), share, start=4)
    assert taken(share) == ["new", "newer"]
    last(str(path), share, start=400)
    assert taken(share) == ["old", "new", "newer"]


def test_what_is_not_there_gives_nothing(tmp_path: Path):
    share = plenty()
    assert last(str(tmp_path / "f"), share) is None
    assert since(str(tmp_path / "f"), None, share, whole=False) is None
    assert since(str(tmp_path / "gone" / "f"), Mark(1, 1), share, whole=False) is None
    assert taken(share) == []


def test_the_rest_of_a_renamed_file_comes_before_the_new_one(tmp_path: Path):
    path = tmp_path / "f"
    path.write_text("one\n")
    share = plenty()
    mark = since(str(path), None, share, whole=False)
    with path.open("a") as file:
        file.write("two\n")
    path.rename(tmp_path / "f.1")
    path.write_text("three\n")
    mark = since(str(path), mark, share, whole=False)
    assert taken(share) == ["one", "two", "three"]
    share = Share(1, 1000)
    mark = since(str(path), Mark((tmp_path / "f.1").stat().st_ino, 0), share, whole=False)
    assert taken(share) == ["one"]
    since(str(path), mark, share := plenty(), whole=False)
    assert taken(share) == ["two", "three"]


def test_a_file_that_was_cut_is_read_from_its_beginning(tmp_path: Path):
    path = tmp_path / "f"
    path.write_text("one\ntwo\n")
    share = plenty()
    mark = since(str(path), None, share, whole=False)
    with path.open("r+") as file:
        file.truncate(0)
        file.write("new\n")
    since(str(path), mark, share, whole=False)
    assert taken(share) == ["one", "two", "new"]


def test_a_line_without_an_end_is_given_in_pieces(tmp_path: Path):
    path = tmp_path / "f"
    path.write_bytes(b"x" * (2 * LONGEST + 5) + b"\nend\n")
    share = plenty()
    since(str(path), None, share, whole=False)
    assert [len(line) for line in taken(share)] == [LONGEST, LONGEST, 5, 3]


@given(st.lists(st.binary(max_size=30).map(lambda line: line.replace(b"\n", b" ")), max_size=40), st.integers(1, 7))
def test_all_lines_are_read_once_in_their_order_however_little_at_a_time(lines: list[bytes], size: int):
    import tempfile

    with tempfile.NamedTemporaryFile() as file:
        file.write(b"".join(line + b"\n" for line in lines))
        file.flush()
        found, mark = [], None
        while True:
            share = Share(size, 1 << 20)
            mark = since(file.name, mark, share, whole=False)
            if not share.taken:
                break
            assert len(share.taken) <= size
            found += share.taken
    assert found == [line.decode("utf-8", "replace") for line in lines]


def turned(path: Path, text: str) -> None:
    """A new file of that text; those before get the next number."""
    if path.exists():
        put_behind(str(path), 9, str(path))
    path.write_text(text)


def test_who_is_several_files_behind_reads_them_in_their_order(tmp_path: Path):
    path = tmp_path / "f"
    turned(path, "one\n")
    mark = since(str(path), None, share := plenty(), whole=False)
    for text in ("two\nthree\n", "four\n", "five\nsi"):
        turned(path, text)
    few = Share(1, 1000)
    mark = since(str(path), mark, few, whole=False)
    assert taken(few) == ["two"]
    mark = since(str(path), mark, share, whole=False)
    assert taken(share) == ["one", "three", "four", "five"]
    turned(path, "seven\n")
    since(str(path), mark, share, whole=False)
    assert taken(share) == ["si", "seven"]


def test_between_a_rename_and_the_new_file_nothing_is_told_twice_or_before_its_end(tmp_path: Path):
    path = tmp_path / "f"
    path.write_text("one\ntw")
    mark = since(str(path), None, share := plenty(), whole=False)
    path.rename(tmp_path / "f.1")
    for _ in range(2):
        mark = since(str(path), mark, share, whole=False)
    assert taken(share) == ["one"]
    path.write_text("three\n")
    since(str(path), mark, share, whole=False)
    assert taken(share) == ["tw", "three"]


def test_the_last_lines_of_several_files_are_in_their_order(tmp_path: Path):
    path = tmp_path / "f"
    for text in ("one\ntwo\n", "three\nfour\n", "five\nsi"):
        turned(path, text)
    mark = latest(str(path), share := Share(4, 1000), whole=False)
    assert taken(share) == ["two", "three", "four", "five"]
    assert since(str(path), mark, share := plenty(), whole=True) is not None
    assert taken(share) == ["si"]
    assert latest(str(tmp_path / "g"), share, whole=True) is None


def test_of_what_is_gone_the_new_file_alone_is_read(tmp_path: Path):
    path = tmp_path / "f"
    turned(path, "one\n")
    turned(path, "two\n")
    mark = since(str(path), None, share := plenty(), whole=False)
    path.rename(tmp_path / "f.away")  # the inode stays taken
    (tmp_path / "f.away").rename(tmp_path.parent / f"{tmp_path.name}.away")
    path.write_text("three\n")
    since(str(path), mark, share, whole=False)
    assert taken(share) == ["two", "three"], "what is in the file before was told when that was the present one"


def test_who_follows_a_file_that_is_copied_and_cut_reads_the_rest_in_the_copy(tmp_path: Path):
    path = tmp_path / "f"
    path.write_text("one\n")
    mark = since(str(path), None, share := plenty(), whole=False)
    copy = tmp_path / "f.1"
    copy.write_text("one\ntwo\nthree\n")
    with copy.open() as file:
        tell_origin(file.fileno(), path.stat().st_ino)
        if not is_copy_of(file.fileno(), path.stat().st_ino):
            pytest.skip("this file system holds nothing beside a file")
    os.truncate(path, 0)
    few = Share(1, 1000)
    mark = since(str(path), mark, few, whole=False)
    assert taken(few) == ["two"]
    with path.open("a") as file:
        file.write("four\n")
    mark = since(str(path), mark, share, whole=False)
    assert taken(share) == ["one", "three", "four"]
