"""Hashes and compresses the files of the standard library on all cores, with a bar that says how far it is.

    python examples/compress.py [FOLDER]

A file is read in the worker: what travels there is its path, what comes back are a few figures. Whose turn it is gets
decided as workers are done, so one that got the large files holds nobody up. At the end the figures are compared with
those that this process finds alone.
"""

import hashlib
import sys
import sysconfig
import time
import zlib
from pathlib import Path
from typing import NamedTuple

from understudy import Pool


class Packed(NamedTuple):
    """What became of one file."""

    path: Path
    digest: str
    size: int
    packed: int


def pack(path: Path) -> Packed:
    data = path.read_bytes()
    return Packed(path, hashlib.sha256(data).hexdigest(), len(data), len(zlib.compress(data, level=9)))


def main() -> int:
    folder = Path(sys.argv[1] if len(sys.argv) > 1 else sysconfig.get_path("stdlib"))
    paths = sorted(path for path in folder.rglob("*.py") if "site-packages" not in path.parts)
    began = time.monotonic()
    with Pool(progress=True, name="packing") as pool:
        found = list(pool.imap_unordered(pack, paths, chunksize=8))
        workers = pool.stats().workers
    between = time.monotonic()
    alone = [pack(path) for path in paths]
    ended = time.monotonic()

    size, packed = sum(one.size for one in found), sum(one.packed for one in found)
    print(f"{len(found)} files, {size / 1e6:.1f} MB, {packed / 1e6:.1f} MB compressed ({packed / max(size, 1):.0%})")
    for one in sorted(found, key=lambda one: one.packed / max(one.size, 1))[:3]:
        print(f"  {one.packed / max(one.size, 1):6.1%} of {one.size:>9,} bytes left of {one.path.relative_to(folder)}")
    print(f"{workers} workers: {between - began:.1f} s; one process: {ended - between:.1f} s")
    same = sorted(found) == alone
    print(f"the same as one process finds alone: {same}")
    return 0 if same else 1


if __name__ == "__main__":
    sys.exit(main())
