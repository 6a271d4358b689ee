"""The committed table of requirements is current, and what makes it reads the marks rightly."""

from __future__ import annotations

import textwrap
import tomllib
from pathlib import Path

import pytest

from tools import requirements_table as table
from tools.requirements_table import Area, Line, Proof, WrongMarkError

TESTS = table.ROOT / "tests"

COUNTS = {"P": 11, "C": 4, "E": 8, "L": 6, "K": 6, "H": 6, "A": 8, "S": 8, "B": 3, "F": 64}

KNOWN = [
    Area("P", "Writing", (Line("P1", "a|b"), Line("P2", "two", impossible="no such clock"))),
    Area("F", "Faults", (Line("F1", "one"),)),
]


@pytest.fixture
def read(tmp_path: Path):
    def written(source: str) -> list[Proof]:
        (tmp_path / "tests").mkdir()
        (tmp_path / "tests" / "test_x.py").write_text(textwrap.dedent(source))
        return list(table.proofs(tmp_path / "tests"))

    return written


def test_the_data_holds_every_id_with_a_sentence():
    found = {area.letter: [line.id for line in area.lines] for area in table.areas()}
    assert found == {letter: [f"{letter}{n}" for n in range(1, count + 1)] for letter, count in COUNTS.items()}
    sentences = [line.sentence for area in table.areas() for line in area.lines]
    assert all(sentence.endswith(".") and len(sentence) > 30 for sentence in sentences)
    assert len(set(sentences)) == len(sentences)


def test_every_mark_names_an_id_that_exists():
    messages = table.wrong(table.proofs(TESTS), table.areas())
    assert not messages, "\n".join(messages)


def test_the_committed_table_is_current():
    made = table.page(table.areas(), table.proofs(TESTS))
    assert table.PAGE.read_text(encoding="utf-8") == made, "docs/requirements.md is out of date: run `make docs`"


def test_marks_are_read_from_tests_parameters_classes_and_modules(read):
    found = read("""
        import pytest
        from pytest import mark

        pytestmark = [pytest.mark.requirement("P1")]

        @pytest.mark.requirement("P2", "P3")
        @mark.fault("F1")
        def test_one(): ...

        @pytest.mark.parametrize("x", [pytest.param(1, marks=pytest.mark.fault("F2")), 2])
        async def test_two(x): ...

        @pytest.mark.fault("F3")
        class TestMany:
            @pytest.mark.fault("F4")
            def test_three(self): ...

        def no_test(): ...
        """)
    assert {(proof.id, proof.mark, proof.test.removeprefix("tests/test_x.py::")) for proof in found} == {
        ("P1", "requirement", "test_one"),
        ("P2", "requirement", "test_one"),
        ("P3", "requirement", "test_one"),
        ("F1", "fault", "test_one"),
        ("P1", "requirement", "test_two"),
        ("F2", "fault", "test_two"),
        ("P1", "requirement", "TestMany::test_three"),
        ("F3", "fault", "TestMany::test_three"),
        ("F4", "fault", "TestMany::test_three"),
    }


@pytest.mark.parametrize(
    "source",
    [
        "import pytest\nID = 'F1'\n@pytest.mark.fault(ID)\ndef test_one(): ...",
        "import pytest\n@pytest.mark.fault()\ndef test_one(): ...",
        "import pytest\n@pytest.mark.fault(1)\ndef test_one(): ...",
        "import pytest\n@pytest.mark.fault(id='F1')\ndef test_one(): ...",
        "import pytest\n@pytest.mark.fault\ndef test_one(): ...",
        "import pytest\nfault = pytest.mark.fault\n@fault('F1')\ndef test_one(): ...",
        "import pytest\nCASES = [pytest.param(1, marks=pytest.mark.fault('F1'))]",
        "import pytest\n@pytest.mark.fault('F1')\ndef helper(): ...",
    ],
)
def test_a_mark_that_the_table_would_miss_is_an_error(read, source):
    with pytest.raises(WrongMarkError, match=r"tests/test_x\.py:\d+: "):
        read(source)


def test_a_mark_of_an_unknown_id_is_told_with_its_test():
    found = [Proof("P9", "requirement", "tests/test_x.py::test_one", 7)]
    assert table.wrong(found, KNOWN) == ["tests/test_x.py::test_one (line 7): there is no P9"]


@pytest.mark.parametrize(("id_", "mark", "right"), [("F1", "requirement", "fault"), ("P1", "fault", "requirement")])
def test_an_id_under_the_other_mark_is_told(id_, mark, right):
    (message,) = table.wrong([Proof(id_, mark, "tests/test_x.py::test_one", 7)], KNOWN)
    assert message.endswith(f"{id_} is a {right}, not a {mark}")


def test_the_page_shows_what_is_proven_what_is_not_and_what_cannot_be():
    found = [Proof("P1", "requirement", f"tests/test_x.py::test_{name}", 1) for name in ("b", "a", "b")]
    text = table.page(KNOWN, found)
    assert "1 of 3 are proven by at least one test. 1 cannot hold" in text
    assert "| P1 | a\\|b | `tests/test_x.py::test_a`<br>`tests/test_x.py::test_b` |\n" in text
    assert "| P2 | two | cannot hold: no such clock |\n" in text
    assert "| F1 | one | not yet |\n" in text


def test_a_line_that_holds_in_part_says_what_is_lacking():
    known = [table.Area("P", "Writing", (table.Line("P1", "one", lacks="the other half"),))]
    made = table.page(known, [table.Proof("P1", "requirement", "tests/x.py::test_y", 1)])
    assert "in part; not yet: the other half<br>`tests/x.py::test_y`" in made
    assert "1 of 1 are proven by at least one test. 1 of these hold in part" in made


def test_a_line_that_holds_in_part_is_one_that_exists():
    read = tomllib.loads(table.DATA.read_text(encoding="utf-8"))
    assert set(read["partly"]) <= {line.id for area in table.areas() for line in area.lines}


def test_an_impossible_line_is_one_that_exists():
    ids = {line.id for area in table.areas() for line in area.lines}
    assert set(tomllib.loads(table.DATA.read_text())["cannot_hold"]) <= ids


def test_the_page_is_written_once_and_wrong_marks_keep_it_from_being(tmp_path, monkeypatch, capsys):
    (tmp_path / "tests").mkdir()
    test = tmp_path / "tests" / "test_x.py"
    test.write_text("import pytest\n@pytest.mark.fault('F1')\ndef test_one(): ...\n")
    monkeypatch.setattr(table, "ROOT", tmp_path)
    monkeypatch.setattr(table, "PAGE", tmp_path / "docs" / "requirements.md")

    assert table.main() == 0
    assert "wrote docs/requirements.md" in capsys.readouterr().out
    assert "`tests/test_x.py::test_one`" in table.PAGE.read_text()
    assert table.main() == 0
    assert capsys.readouterr().out == ""

    test.write_text("import pytest\n@pytest.mark.fault('F99')\ndef test_one(): ...\n")
    assert table.main() == 1
    assert "there is no F99" in capsys.readouterr().err
    assert "F99" not in table.PAGE.read_text()
