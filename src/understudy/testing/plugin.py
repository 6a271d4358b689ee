"""Fixtures for pytest; load them with `pytest_plugins = ["understudy.testing.plugin"]` in the topmost conftest.py.

`leak_check` fails a test that leaves processes, descriptors, threads or files behind. To guard every test:

    @pytest.fixture(autouse=True)
    def nothing_is_left_behind(leak_check): ...

What lives longer than a test (an ActorSystem of a module, threads that a library starts at its import) has to be
there before the test begins: make it in a fixture of wider scope, or in conftest.py.

The ini option `leak_patience` says how many seconds what is left at the end of a test may take to go; 2 unless set.
"""

from __future__ import annotations

import shutil
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from understudy.testing.clock import FakeClock
from understudy.testing.leaks import LeakCheck, as_text

if TYPE_CHECKING:
    from collections.abc import Iterator


def pytest_addoption(parser: pytest.Parser) -> None:
    """Declare `leak_patience`."""
    parser.addini("leak_patience", "seconds that what a test leaves may take to go by itself", default="2")


@pytest.fixture
def fake_clock() -> FakeClock:
    """A clock at 0 that moves by `advance(seconds)` only."""
    return FakeClock()


@pytest.fixture(scope="session")
def private_places(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A temporary and a runtime directory that no other worker or session shares; the environment names them.

    Their path is short, as sockets need it. What pytest keeps for its own `tmp_path` stays where it is.
    """
    tmp_path_factory.getbasetemp()  # settled before the temporary directory moves
    home = Path(tempfile.mkdtemp(prefix="us-"))
    for name in ("t", "understudy"):
        (home / name).mkdir(mode=0o700)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TMPDIR", str(home / "t"))
        patch.setenv("XDG_RUNTIME_DIR", str(home))  # itself: with a longer path systems would go elsewhere
        patch.setattr(tempfile, "tempdir", None)
        yield home
    shutil.rmtree(home, ignore_errors=True)  # what a leak still writes to must not hide the leak


@pytest.fixture
def leak_check(
    pytestconfig: pytest.Config,
    private_places: Path,  # noqa: ARG001 - asked for its effect
) -> Iterator[LeakCheck]:
    """Fails the test that leaves something behind; the default ActorSystem is closed first.

    The running check can be asked in between: `leak_check.leaks()`.
    """
    check = LeakCheck(patience=_patience(pytestconfig)).start()
    yield check
    try:
        _close_default_system()
    finally:
        leaks = check.finish()
    if leaks:
        pytest.fail(f"the test left behind:\n{as_text(leaks)}", pytrace=False)


def _patience(config: pytest.Config) -> float:
    given = config.getini("leak_patience")
    try:
        return float(given)
    except ValueError:
        raise pytest.UsageError(f"leak_patience is a number of seconds, not {given!r}") from None


def _close_default_system() -> None:
    # A test that never imported the system has no default one; importing it here would start what is looked for.
    system = getattr(sys.modules.get("understudy.system"), "ActorSystem", None)
    close = getattr(system, "close_default", None)
    if close is not None:
        close()
