"""docs/reference.md is what the docstrings say now, and leaves no public name out."""

from __future__ import annotations

import pytest

import understudy
from tests.docs.pages import sections
from tools import reference

ENTRIES = sections(reference.page(), 3)


def test_the_committed_page_is_current():
    assert reference.PAGE.read_text(encoding="utf-8") == reference.page(), "run `make docs`"


def test_every_public_name_has_an_entry_with_its_docstring():
    assert sorted(ENTRIES) == sorted(understudy.__all__)
    for name, body in ENTRIES.items():
        first = (getattr(understudy, name).__doc__ or "").strip().split("\n", 1)[0]
        assert len(first) > 10
        assert reference._text(first) in body, name


@pytest.mark.parametrize(
    "name", ["ActorSystem", "ActorRef", "Process", "Observer", "Remote", "Timer", "Target", "Spawner"]
)
def test_every_public_member_of_a_class_is_told(name):
    members = [member for member in vars(getattr(understudy, name)) if not member.startswith("_")]
    told = [member for member in members if f"`{name}.{member}" in ENTRIES[name]]
    data = [member for member in members if member not in told]
    assert data == (["name", "system_id", "uid"] if name == "ActorRef" else []), "slots are told in the docstring"
    assert len(told) >= 2


def test_a_name_that_is_in_no_group_is_not_lost(monkeypatch):
    monkeypatch.setitem(reference.GROUPS, "Measuring", ())
    others = sections(reference.page(), 2)["Other names"]
    assert {"timethis", "Timer", "Timers"} <= set(sections(others, 3))


def test_signatures_tell_what_is_keyword_only_and_what_the_defaults_are():
    assert "`ActorRef.stop(*, grace: float | None = None, drain: bool = False) -> str`" in ENTRIES["ActorRef"]
    assert "spawn(target: Any, /, *args: Any, name: str | None = None, host: str = 'process'," in ENTRIES["ActorSystem"]
    assert "`Status.ended: bool`" in ENTRIES["Status"]
    assert "`async ref.aio.result(timeout: float | None = None) -> Any`" in ENTRIES["ActorRef"]


def test_every_setting_stands_in_the_table_with_its_default():
    settings = sections(reference.page(), 2)["Settings"]
    assert "| `restart.backoff.factor` | `float` | `2.0` | What each further pause is multiplied by. |" in settings
    assert "| `num_loops` | `int \\| None` | `None` |" in settings


def test_the_page_is_written_where_it_differs_and_only_there(monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(reference, "ROOT", tmp_path)
    monkeypatch.setattr(reference, "PAGE", tmp_path / "docs" / "reference.md")
    assert reference.main() == 0
    assert capsys.readouterr().out == "wrote docs/reference.md\n"
    assert reference.PAGE.read_text(encoding="utf-8") == reference.page()
    assert reference.main() == 0
    assert capsys.readouterr().out == ""
