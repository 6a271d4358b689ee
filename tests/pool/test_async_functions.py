"""Functions that are to be awaited."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from understudy import Pool


async def doubled(number):
    await asyncio.sleep(0)
    return 2 * number


@pytest.mark.requirement("B1")
def test_an_async_function_is_awaited_in_the_worker_however_it_is_submitted():
    call: Any = doubled  # the signatures know nothing of it
    with Pool(1) as pool:
        patient = pool.options(timeout=30)
        assert pool.submit(call, 1).result(20) == 2
        assert [*pool.map(call, [1, 2])] == [2, 4]
        assert [*patient.map(call, [1, 2])] == [2, 4]
        assert [*pool.imap_unordered(call, [3])] == [6]
