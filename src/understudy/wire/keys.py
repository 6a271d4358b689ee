"""The tag without which no pickle is opened.

It covers the pickle and the lengths of its buffers: what the buffers hold is data, what the pickle holds is code.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

try:
    # hashlib would bring OpenSSL into the zygote, and its pages into every fork.
    from _blake2 import blake2b
except ImportError:
    from hashlib import blake2b

KEY_BYTES = 32
TAG_BYTES = 16


def new_key() -> bytes:
    """A fresh key for one system."""
    return os.urandom(KEY_BYTES)


def tag(key: bytes, frames: Sequence[Any]) -> bytes:
    """The BLAKE2b-128 tag of a pickle and its buffers' lengths."""
    digest = _begun(key, frames)
    digest.update(frames[0])
    return bytes(digest.digest())


def verify(key: bytes, frames: Sequence[Any], claimed: bytes | None) -> bool:
    """Whether the frames are what somebody with the key wrote."""
    return len(frames) > 0 and bool(Check(key, frames, claimed).go_on(memoryview(frames[0]).nbytes))


class Check:
    """A verification in steps: to hash a pickle takes a second for each gigabyte or so."""

    def __init__(self, key: bytes, frames: Sequence[Any], claimed: bytes | None) -> None:
        self._pickle = memoryview(frames[0]).cast("B")
        self._claimed = claimed
        self._digest = _begun(key, frames)
        self._done = 0

    def go_on(self, size: int) -> bool | None:
        """Hash so many bytes more: whether the tag is right, once that is known."""
        if self._claimed is None:
            return False
        self._digest.update(self._pickle[self._done : self._done + size])
        self._done += size
        if self._done < self._pickle.nbytes:
            return None
        import hmac  # only the parent verifies; see above

        return hmac.compare_digest(self._digest.digest(), self._claimed)


def _begun(key: bytes, frames: Sequence[Any]) -> Any:
    digest = blake2b(key=key, digest_size=TAG_BYTES)
    digest.update(len(frames).to_bytes(4, "little"))
    for buffer in frames[1:]:
        digest.update(memoryview(buffer).nbytes.to_bytes(8, "little"))
    return digest
