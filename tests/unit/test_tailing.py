"""Lines of files that others write to."""

from __future__ import annotations

from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from understudy.router.tailing import LONGEST, Mark, Share, last, since


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
