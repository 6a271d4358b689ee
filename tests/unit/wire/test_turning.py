"""How files make room for the newest of those before."""

from __future__ import annotations

from pathlib import Path

import pytest

from understudy.wire.turning import put_behind


def names(folder: Path) -> dict[str, str]:
    return {one.name: one.read_text() for one in folder.iterdir()}


@pytest.mark.parametrize(
    ("files", "before", "after"),
    [
        (3, {"f": "new"}, {"f.1": "new"}),
        (3, {"f": "new", "f.1": "b"}, {"f.1": "new", "f.2": "b"}),
        (3, {"f": "new", "f.1": "b", "f.2": "a"}, {"f.1": "new", "f.2": "b"}),
        (3, {"f": "new", "f.2": "a"}, {"f.1": "new", "f.2": "a"}),
        (2, {"f": "new", "f.1": "b"}, {"f.1": "new"}),
        (2, {"f": "new", "f.1": "b", "f.2": "a"}, {"f.1": "new", "f.2": "a"}),
        (1, {"f": "new", "f.1": "b"}, {"f": "new", "f.1": "b"}),
    ],
)
def test_each_takes_the_place_of_the_one_before_and_the_oldest_goes(tmp_path, files, before, after):
    for name, text in before.items():
        (tmp_path / name).write_text(text)
    put_behind(str(tmp_path / "f"), files, str(tmp_path / "f"))
    assert names(tmp_path) == after


def test_what_cannot_be_renamed_is_an_error_and_the_newest_stays(tmp_path):
    (tmp_path / "f").write_text("new")
    (tmp_path / "f.1").mkdir()
    with pytest.raises(OSError, match="directory"):
        put_behind(str(tmp_path / "f"), 2, str(tmp_path / "f"))
    assert (tmp_path / "f").read_text() == "new"
