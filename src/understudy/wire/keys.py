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
    digest = blake2b(key=key, digest_size=TAG_BYTES)
    digest.update(len(frames).to_bytes(4, "little"))
    for buffer in frames[1:]:
        digest.update(memoryview(buffer).nbytes.to_bytes(8, "little"))
    digest.update(frames[0])
    return digest.digest()


def verify(key: bytes, frames: Sequence[Any], claimed: bytes | None) -> bool:
    """Whether the frames are what somebody with the key wrote."""
    import hmac  # only the parent verifies; see above

    return claimed is not None and len(frames) > 0 and hmac.compare_digest(tag(key, frames), claimed)
