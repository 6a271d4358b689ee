"""Each example is run as its reader would run it, and has to say what it promises."""

from __future__ import annotations

import os
import re
import select
import shutil
import subprocess
import sys
import sysconfig
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.stage import python

EXAMPLES = Path(__file__).parents[2] / "examples"


def run(name: str, cwd: Path, *arguments: str, seconds: float = 50) -> str:
    """The example's output, when it has ended well and said nothing on stderr but who takes over for whom."""
    done = python(str(EXAMPLES / name), *arguments, cwd=cwd, seconds=seconds)
    told = re.compile(r".*; its understudy takes over|Traceback .*|  .*")
    other = [line for line in done.stderr.splitlines() if not told.fullmatch(line)]
    assert (done.returncode, other) == (0, []), f"{name} gave {done.returncode}\n{done.stdout}\n{done.stderr}"
    return done.stdout


@pytest.mark.timeout(300)
@pytest.mark.requirement("A4")
@pytest.mark.requirement("H6")
def test_the_demo_loses_two_of_its_actors_and_nothing_of_their_work(tmp_path):
    """One test for all that it says: it takes a while. It runs away from its folder and into a pipe."""
    # More than half of the library is its own tests.
    out = run("demo.py", tmp_path, str(library(tmp_path / "library", but=["test"])), seconds=240)
    titles = r"^(?:Now the same in this process alone|The deaths|What it cost|The proof)$"
    view, _, deaths, cost, proof = re.split(titles, out, flags=re.MULTILINE)
    check_view(view)
    check_deaths(deaths)
    check_cost(cost)
    check_proof(proof)


def library(to: Path, but: list[str]) -> Path:
    """A copy of what the demo reads, but for folders of these names."""
    whole = Path(sysconfig.get_path("stdlib"))
    for path in whole.rglob("*.py"):
        part = path.relative_to(whole)
        if not {"site-packages", "dist-packages", *but} & set(part.parts):
            (to / part).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, to / part)
    return to


def check_view(view: str) -> None:
    """It was told the endpoint only; what had changed before it came stands in its first table."""
    assert re.search(r"^name +pid +status", view, re.MULTILINE)
    changes = re.findall(r"indexer-3: (\w+) -> (\w+) \(life (\d)", view)
    assert changes[changes.index(("RUNNING", "RESTARTING", "1")) :] == [
        ("RUNNING", "RESTARTING", "1"),
        ("RESTARTING", "STARTING", "2"),
        ("STARTING", "RUNNING", "2"),
        ("RUNNING", "STOPPING", "2"),
        ("STOPPING", "FINISHED", "2"),
    ]
    assert all(f"indexer-{number}: STOPPING -> FINISHED" in view for number in range(4))
    assert re.search(r"indexer-0 \d+ %, indexer-1 \d+ %, indexer-2 \d+ %, indexer-3 \d+ %", view)


def check_deaths(deaths: str) -> None:
    assert re.search(r"indexer-3 was ended by SIGKILL in __loop__ \(lap \d+, incarnation 1\)", deaths)
    assert re.search(r"__loop__ of indexer-2 ran 3 s \(lap \d+, incarnation 1\)", deaths)
    assert "in wait_for_nobody\n" in deaths, "the report does not say where it hung"


def check_cost(cost: str) -> None:
    after_kill = re.search(r"indexer-3: RUNNING again ([\d.]+) ms after the SIGKILL; (\d+) files read twice", cost)
    after_hang = re.search(r"indexer-2: RUNNING again ([\d.]+) ms after its end .*; (\d+) files read twice", cost)
    assert after_kill
    assert after_hang
    for gap, twice in (after_kill.groups(), after_hang.groups()):
        assert 0 < float(gap) < 10_000
        assert int(twice) > 0
    assert re.search(r"4 actors, with all that: [\d.]+ s; one process, undisturbed: [\d.]+ s", cost)


def check_proof(proof: str) -> None:
    figures = re.search(r"([\d,]+) files, ([\d,]+) names, [\d,]+ entries; lives \[\d, \d, [23], [23]\]", proof)
    assert figures
    files, names = (int(figure.replace(",", "")) for figure in figures.groups())
    assert files > 300
    assert names > 10_000
    assert "the same as one process finds alone: True" in proof


IN_A_TERMINAL = "import os, pty, sys; sys.exit(os.waitstatus_to_exitcode(pty.spawn(sys.argv[1:])))"


@pytest.mark.timeout(150)
@pytest.mark.fault("F34")
def test_ctrl_c_in_a_terminal_ends_the_demo_and_its_view(tmp_path):
    """Pressed when the picture moves. What would be left behind is found by the check around each test."""
    with subprocess.Popen(
        [sys.executable, "-c", IN_A_TERMINAL, sys.executable, str(EXAMPLES / "demo.py")],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        cwd=tmp_path,
        env={**os.environ, "TERM": "xterm", "COLUMNS": "120", "LINES": "40"},
    ) as demo:
        assert demo.stdin
        assert demo.stdout
        moving = re.compile(r"RUNNING.*\x1b\[\d*A", re.DOTALL)
        screen = _read(demo.stdout.fileno(), lambda seen: moving.search(seen) is not None, seconds=60)
        demo.stdin.write(b"\x03")
        demo.stdin.flush()
        screen += _read(demo.stdout.fileno(), lambda seen: "interrupted; no actor is left" in seen, seconds=60)
        assert demo.wait(60) == 130
    assert "indexer-3" in screen
    assert "Traceback" not in screen


def _read(fd: int, enough: Callable[[str], bool], seconds: float) -> str:
    """What the terminal shows until it is enough."""
    until, seen = time.monotonic() + seconds, ""
    while not enough(seen):
        left = until - time.monotonic()
        assert left > 0, f"only this came within {seconds:g} s:\n{seen}"
        if select.select([fd], [], [], left)[0]:
            seen += os.read(fd, 65536).decode(errors="replace")
    return seen


@pytest.mark.requirement("P6")
@pytest.mark.requirement("P8")
def test_the_timed_process_measures_each_level(tmp_path):
    sample = tmp_path / "sample"
    sample.write_bytes(b"".join(path.read_bytes() for path in sorted(EXAMPLES.glob("*.py"))) * 40)
    out = run("timed_process.py", tmp_path, str(sample))
    blocks = -(-sample.stat().st_size // 65536)
    rows = re.findall(r"^ +([169]) +([\d.]+)% +(\d+) +([\d.]+) +([\d.]+) +([\d.]+) +([\d.]+) +", out, re.MULTILINE)
    assert [row[0] for row in rows] == ["1", "6", "9"]
    for _, size, laps, mean, _, slowest, whole in rows:
        assert 0 < float(size) < 60
        assert int(laps) == blocks
        assert 0 < float(mean) <= float(slowest)
        assert float(mean) < float(whole), "a lap has two sections more"


def test_the_service_survives_its_flaky_server_and_misses_nothing(tmp_path):
    out = run("service.py", tmp_path)
    lives = re.findall(r"^ +(\d+) +[\d.]+ s +(?:([\d.]+) s)? +(\S.*)$", out, re.MULTILINE)
    assert f"40 readings in {len(lives)} lives; complete and in order: True\n" in out
    assert len(lives) > 5
    assert "the server hung up instead of giving reading 9" in lives[0][2]
    assert lives[-1][2] == "finished"
    refused = [float(waited) for _, waited, cause in lives if "Connection refused" in cause]
    assert max(refused) >= 0.04, "it knocked again and again without a pause"
    assert "understudy.actor.poller: life 2 goes on after reading 8\n" in out


@pytest.mark.requirement("K1")
def test_the_supervisor_ends_what_it_names_and_nothing_else(tmp_path):
    out = run("supervisor.py", tmp_path)
    assert "stop web/eu-*  {'web/eu-1': 'FINISHED', 'web/eu-2': 'FINISHED'}\n" in out
    assert re.search(r"kill web/us-1  \{'web/us-1': 'asked'\}\nActorKilled: web/us-1 was killed ", out)
    assert "restart audit  life 1 -> 2, in another process\n" in out
    assert "UnknownActor: no actor is named 'db/mian'; did you mean db/main?\n" in out
    assert "stop cache/*  {}\n" in out
    assert "stop web/eu-1 once more  {'web/eu-1': 'ended'}\n" in out
    last = out.rpartition("the rest, at the end")[2]
    rows = re.findall(r"^(\S+) +- +(FINISHED|KILLED) ", last, re.MULTILINE)
    assert [name for name, status in rows if status == "KILLED"] == ["web/us-1"]
    assert len(rows) == 6
    assert last.endswith("wrote down what they saw: audit db-main db-replica web-eu-1 web-eu-2\n")


@pytest.mark.requirement("A7")
def test_the_crawler_finds_what_one_process_finds(tmp_path):
    out = run("crawler.py", tmp_path, "parse")
    hits = re.findall(r"^ +(\d+) times 'parse' in (\S+)\.html$", out, re.MULTILINE)
    assert len(hits) == 3
    assert int(hits[0][0]) >= int(hits[1][0]) >= int(hits[2][0]) > 0
    figures = re.search(r"^(\d+) pages, (\d+) links that lead nowhere, ([\d,]+) words$", out, re.MULTILINE)
    assert figures
    pages, dead, words = (int(figure.replace(",", "")) for figure in figures.groups())
    assert pages > 40
    assert dead > 10
    assert words > 2_000
    assert out.endswith("the same as one process finds alone: True\n")


@pytest.mark.requirement("A7")
@pytest.mark.fault("F46")
def test_orders_are_all_booked_though_stages_are_killed_five_times_on_the_way(tmp_path):
    out = run("orders.py", tmp_path)
    assert out.startswith("1000 orders, 5 times a stage was killed: 1000 are in the book\n")
    assert out.endswith(", 0 were lost\n")


@pytest.mark.requirement("A7")
def test_images_go_through_the_pipeline_a_few_at_a_time_and_are_read_where_they_are(tmp_path):
    pytest.importorskip("numpy")
    out = run("images.py", tmp_path)
    assert "30 images of 1024 x 1024, 90 times handled; 0 of them could be written to\n" in out
    most = re.search(r"^at the most (\d+) were under way at once$", out, re.MULTILINE)
    assert most
    # Of each of three stages: what it holds, with what it has in hand, and what its one sender may have on the way.
    assert 0 < int(most[1]) <= 3 * (2 + 2)
    assert out.endswith("the same as one process makes alone: True\n")


@pytest.mark.requirement("B1")
def test_files_are_packed_by_a_pool_as_by_one_process(tmp_path):
    out = run("compress.py", tmp_path, str(Path(__file__).parents[2] / "src" / "understudy" / "pool"))
    figures = re.match(r"^(\d+) files, [\d.]+ MB, [\d.]+ MB compressed \(\d+%\)$", out, re.MULTILINE)
    assert figures
    assert int(figures[1]) > 10
    assert len(re.findall(r"^ +[\d.]+% of +[\d,]+ bytes left of \w+\.py$", out, re.MULTILINE)) == 3
    assert out.endswith("the same as one process finds alone: True\n")


@pytest.mark.requirement("B3")
def test_the_price_by_chance_is_that_of_the_formula_though_a_worker_was_killed(tmp_path):
    pytest.importorskip("numpy")
    done = python(str(EXAMPLES / "monte_carlo.py"), "10", cwd=tmp_path, seconds=50)
    assert done.returncode == 0, done.stdout + done.stderr
    assert re.match(r"10 batches of 200,000 draws: 1[12]\.\d+ \+- 0\.\d+; by the formula 12\.0\d+\n", done.stdout)
    killed = re.search(r"^worker \d+ was killed: (\d+) batches are done all the same$", done.stdout, re.MULTILINE)
    assert killed
    assert int(killed[1]) == 10
    assert done.stdout.endswith("the same as one process finds alone: True\n")
    assert re.fullmatch(r"prices/\d was ended by SIGKILL .*; no understudy takes over\n", done.stderr)


@pytest.mark.requirement("B3")
def test_the_scraper_has_every_page_but_the_one_that_never_answers(tmp_path):
    out = run("scraper.py", tmp_path, "15")
    assert out.startswith("15 of 15 pages, 70 words, in ")
    assert "\n3 failed and were asked for again: 14 (503), 4 (503), 9 (503)\n" in out
    retried = re.search(r"^(\d+) were too slow and begun anew; given up: (.*)$", out, re.MULTILINE)
    assert retried
    assert int(retried[1]) >= 3, "two pages and the one that never answers"
    assert retried[2] == """{'never': "task 'never': ran 1 s, its timeout"}"""
    assert ", of which 0 were lost\n" in out
    assert out.endswith("every page is what it should be: True\n")


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        ([], 2, "usage:"),
        (["nobody-of-that-name"], 1, "UnknownActor: no system named 'nobody-of-that-name' runs here"),
        (["ipc:///run/nowhere"], 1, "UnknownActor: no system runs at 'ipc:///run/nowhere'"),
    ],
    ids=["nothing", "a name", "an endpoint"],
)
def test_the_view_of_nothing_says_so(tmp_path, arguments, code, words):
    done = python(str(EXAMPLES / "live_view.py"), *arguments, cwd=tmp_path)
    assert (done.returncode, done.stdout) == (code, "")
    assert words in done.stderr
    assert "Traceback" not in done.stderr
