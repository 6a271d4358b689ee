"""A system for programs, which keeps what they write."""

from __future__ import annotations

import pytest

from tests.guard import no_defect_is_told  # noqa: F401 - for the tests of this folder
from understudy import ActorSystem, Exec


@pytest.fixture
def kept(tmp_path):
    """Where the programs' files are."""
    return tmp_path / "kept"


@pytest.fixture
def system(nothing_is_left_behind, kept):
    opened = ActorSystem(output_dir=kept)
    opened.spawn(Exec(["true"]), name="first").wait(20)  # so that no start timeout counts the zygote's own
    yield opened
    opened.shutdown(force=True)
