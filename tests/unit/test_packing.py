"""What a fork allocates lies together once the holes that imports have left are filled."""

import subprocess
import sys

_PROGRAM = """
from understudy.spawners import packing

def strewn(size):
    # Most of their pages keep one that lives, and have room for others beside it.
    every = [bytes(size) for _ in range(300)]
    return every[::4]

def pages(objects, size):
    return {at >> 12 for one in objects for at in (id(one), id(one) + size)}

sizes = (100, 400, 700, 3_000)
kept = [strewn(size) for size in sizes]
living = set().union(*map(pages, kept, sizes))

def shared():
    return [len(pages([bytes(size) for _ in range(20)], size) & living) for size in sizes]

before = shared()
packing.pack()
print(*before, *shared())
"""


def test_what_is_allocated_after_the_holes_are_filled_shares_no_page_with_what_was_there() -> None:
    run = subprocess.run([sys.executable, "-c", _PROGRAM], capture_output=True, text=True, timeout=60, check=True)
    counts = [int(word) for word in run.stdout.split()]
    before, after = counts[:4], counts[4:]
    assert all(before), "what was freed is not taken first: this proves nothing"
    assert max(after) <= 1, "the page amid which all that was there ends may be shared"
