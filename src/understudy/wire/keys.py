"""The tag without which no pickle is opened, and nothing that is lent is looked at.

It covers the pickle, the lengths of its buffers and where lent ones are: what buffers hold is data, a pickle is code.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

try:
    # hashlib and hmac would bring OpenSSL into the zygote, and its pages into every fork.
    from _blake2 import blake2b
    from _operator import _compare_digest as same
except ImportError:
    from hashlib import blake2b
    from hmac import compare_digest as same  # type: ignore[no-redef]

KEY_BYTES = 32
TAG_BYTES = 16


def new_key() -> bytes:
    """A fresh key for one system."""
    return os.urandom(KEY_BYTES)


def tag(key: bytes, frames: Sequence[Any], lent: bytes = b"") -> bytes:
    """The BLAKE2b-128 tag of a pickle, its buffers' lengths, and what is said of lent ones."""
    digest = _begun(key, frames, lent)
    digest.update(frames[0])
    return bytes(digest.digest())


def verify(key: bytes, frames: Sequence[Any], claimed: bytes | None, lent: bytes = b"") -> bool:
    """Whether the frames, and what is said of lent buffers, are what somebody with the key wrote."""
    return len(frames) > 0 and claimed is not None and same(tag(key, frames, lent), claimed)


class Check:
    """A verification in steps: to hash a pickle takes a second for each gigabyte or so."""

    def __init__(self, key: bytes, frames: Sequence[Any], claimed: bytes | None) -> None:
        self._pickle = memoryview(frames[0]).cast("B")
        self._claimed = claimed
        self._digest = _begun(key, frames, b"")
        self._done = 0

    def go_on(self, size: int) -> bool | None:
        """Hash so many bytes more: whether the tag is right, once that is known."""
        if self._claimed is None:
            return False
        self._digest.update(self._pickle[self._done : self._done + size])
        self._done += size
        if self._done < self._pickle.nbytes:
            return None
        return same(self._digest.digest(), self._claimed)


def _begun(key: bytes, frames: Sequence[Any], lent: bytes) -> Any:
    digest = blake2b(key=key, digest_size=TAG_BYTES, person=b"lent" if lent else b"")
    digest.update(len(frames).to_bytes(4, "little"))
    for buffer in frames[1:]:
        digest.update(memoryview(buffer).nbytes.to_bytes(8, "little"))
    if lent:
        digest.update(len(lent).to_bytes(8, "little"))
        digest.update(lent)
    return digest
