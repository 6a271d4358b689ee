"""temporary"""

import msgpack
from understudy.wire import keys
from understudy.wire.letters import Seal
from understudy.wire.pickling import dump_frames, loads

_packer = msgpack.Packer(strict_types=True, unicode_errors="surrogatepass")


def plain(m):
    try:
        return _packer.pack(m)
    except (TypeError, ValueError, OverflowError):
        return None


def seal(message, root, key, lender):
    b = plain(message)
    if b is not None:
        if len(b) < 4096:
            return Seal(0, b, None, []), ()
        return Seal(1, None, None, []), [b]
    f = dump_frames(message, root)
    return Seal(2, None, keys.tag(key, f), []), f


def unseal(seal, frames, key, borrower):
    if seal.form == 0:
        return msgpack.unpackb(seal.inline, strict_map_key=False, unicode_errors="surrogatepass")
    if seal.form == 1:
        return msgpack.unpackb(frames[0], strict_map_key=False, unicode_errors="surrogatepass")
    assert keys.verify(key, frames, seal.tag)
    return loads(frames)
