"""Programs in README.md and the guides run as they stand, and print what the page says they print.

A ```python block is marked in the line above it: `<!-- run -->` is a whole program, `<!-- fragment -->` a part of one,
which has to parse. The block of an `<!-- output -->` after a program is its standard output, that of an
`<!-- errors -->` after this its standard error. Where the mark goes on with `figures vary`, numbers and the widths of
columns may differ, and a line of three dots stands for any lines.
"""

from __future__ import annotations

import ast
import os
import pty
import re
import select
import subprocess
import sys
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from benchmarks.__main__ import FIGURES
from tests.docs.pages import ROOT, Block, blocks, tables
from tests.stage import python
from understudy import Status

README = ROOT / "README.md"
GUIDES = sorted((ROOT / "docs" / "guides").glob("*.md"))
PAGES = [README, *GUIDES]
PYTHON = [block for page in PAGES for block in blocks(page) if block.language == "python"]


@dataclass(frozen=True)
class Program:
    """A runnable block, and what the page shows of its output, if anything."""

    code: Block
    output: Block | None = None
    errors: Block | None = None


def programs(page: Path) -> list[Program]:
    found: list[Program] = []
    for block in blocks(page):
        if block.mark.startswith("run"):
            found.append(Program(block))
        elif block.mark.startswith(("output", "errors")):
            which = block.mark[:6]
            assert found, f"{block.place} follows no program"
            assert getattr(found[-1], which) is None, f"{block.place} follows no program"
            found[-1] = replace(found[-1], **{which: block})
    return found


PROGRAMS = [program for page in PAGES for program in programs(page)]
FIRST = next(program for program in PROGRAMS if program.code.mark == "run: first")


def place(program: Program) -> str:
    return program.code.place


def expected(output: Block) -> str:
    """A pattern for what the program prints."""
    if "figures vary" not in output.mark:
        return re.escape(output.text)
    lines = [r"(?:.*\n)*?" if line == "..." else _loose(line) + r"\n" for line in output.text.splitlines()]
    return "".join(lines)


def _loose(line: str) -> str:
    words = (re.sub(r"\d+", r"\\d+", re.escape(word).replace(r"\-", "-")) for word in line.split())
    return r"[ \t]*" + r"[ \t]+".join(word if word != "-" else r"(?:-|\d+)" for word in words)


@pytest.mark.parametrize("block", PYTHON, ids=lambda block: block.place)
def test_every_block_of_python_is_a_program_or_at_least_parses(block):
    assert block.mark.split(":")[0] in {"run", "fragment"}, f"{block.place}: mark it <!-- run --> or <!-- fragment -->"
    ast.parse(block.text, block.place)


@pytest.mark.parametrize("program", PROGRAMS, ids=place)
def test_a_program_runs_as_a_script_and_prints_what_the_page_shows(program, tmp_path):
    script = tmp_path / "program.py"
    script.write_text(program.code.text)
    done = python(str(script), cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    for shown, printed in ((program.output, done.stdout), (program.errors, done.stderr)):
        if shown is not None:
            assert re.fullmatch(expected(shown), printed), f"{shown.place} is not what it printed:\n{printed}"


def test_the_first_program_runs_from_standard_input(tmp_path):
    done = python("-", stdin=FIRST.code.text, cwd=tmp_path)
    assert FIRST.output is not None
    assert (done.returncode, done.stdout, done.stderr) == (0, FIRST.output.text, "")


def test_the_first_program_runs_at_a_prompt_behind_a_pipe(tmp_path):
    done = python("-i", "-q", stdin=FIRST.code.text, cwd=tmp_path)
    assert FIRST.output is not None
    assert (done.returncode, done.stdout) == (0, FIRST.output.text)
    assert set(done.stderr.split()) <= {">>>", "..."}, "the prompts and nothing else"


def test_the_first_program_can_be_pasted_into_a_terminal(tmp_path):
    """A terminal of its own, with the plain prompt: what is pasted arrives at once, as from the clipboard."""
    ours, theirs = pty.openpty()
    environment = {**os.environ, "TERM": "dumb", "PYTHON_BASIC_REPL": "1", "PYTHONSTARTUP": ""}
    with subprocess.Popen(
        [sys.executable, "-q"], stdin=theirs, stdout=theirs, stderr=theirs, cwd=tmp_path, env=environment
    ) as prompt:
        os.close(theirs)
        os.write(ours, (FIRST.code.text + "quit()\n").encode())
        shown = _read_all(ours)
        assert prompt.wait(20) == 0
    os.close(ours)
    assert FIRST.output is not None
    assert FIRST.output.text.strip() in shown.split(), shown
    assert "Error" not in shown


def _read_all(terminal: int) -> str:
    """What a terminal shows until its other end is closed."""
    parts: list[bytes] = []
    while select.select([terminal], [], [], 40)[0]:
        try:
            parts.append(os.read(terminal, 65536))
        except OSError:  # closed
            break
    return b"".join(parts).decode()


@pytest.mark.requirement("L4")
def test_the_table_of_vocabularies_names_every_status_in_its_order():
    guide = (ROOT / "docs" / "guides" / "crashes-and-lives.md").read_text(encoding="utf-8")
    rows = tables(guide.partition("\n## Statuses\n")[2])[0]
    assert [row[0].strip("`") for row in rows] == [*Status]
    others = [re.findall(r"`([A-Z]+)`", row[1]) for row in rows]
    assert {word for row in others for word in row} == {"SPAWNING", "COMPLETED", "FAILED", "CANCELLED"}
    final = [row[0].strip("`") for row in rows if row[2].startswith("final")]
    assert final == [status for status in Status if status.ended]


def slug(heading: str) -> str:
    """The anchor that a heading gets."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


def test_links_between_the_pages_lead_somewhere():
    pages = [README, ROOT / "CONTRIBUTING.md", *(ROOT / "docs").rglob("*.md")]
    lost = []
    for page in pages:
        for path, anchor in re.findall(r"\]\(([^)#\s]*)#?([^)\s]*)\)", page.read_text(encoding="utf-8")):
            target = page.parent / path if path else page
            if "://" in path:
                continue
            headings = re.findall(r"^#+ (.+)$", target.read_text(), re.MULTILINE) if target.is_file() else []
            if not target.exists() or (anchor and anchor not in map(slug, headings)):
                lost.append(f"{page.relative_to(ROOT)}: {path}#{anchor}")
    assert not lost


def test_the_page_of_figures_names_each_that_is_measured():
    text = (ROOT / "docs" / "performance.md").read_text(encoding="utf-8")
    named = [
        name for row in tables(text.partition("\n## The figures\n")[2])[0] for name in re.findall(r"`([\w-]+)`", row[0])
    ]
    assert named == [figure.name for figure in FIGURES]
