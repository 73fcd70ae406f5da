"""Random numbers from a counter: Philox4x32-10 (Salmon, Moraes, Dror and Shaw, "Parallel random numbers: as easy as
1, 2, 3", SC 2011), checked against the known answers of their library Random123.

A key is i32[4]: two words of key, then a 64-bit count of steps, its low word first.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from lazydiff.kernels.table import kernel

Arrays = Mapping[str, np.ndarray]
Ints = Mapping[str, int]
_LOW = np.uint64(0xFFFFFFFF)
_WORD = np.uint64(32)


def philox(counter: np.ndarray, key: np.ndarray) -> np.ndarray:
    """Philox4x32-10: counters (..., 4) and a key (2,), words of 32 bits, give (..., 4) random words, all as uint64."""
    a, b, c, d = np.moveaxis(counter.astype(np.uint64), -1, 0)
    k, q = np.uint64(key[0]), np.uint64(key[1])
    for _ in range(10):
        p, r = a * np.uint64(0xD2511F53), c * np.uint64(0xCD9E8D57)
        a, b, c, d = (r >> _WORD) ^ b ^ k, r & _LOW, (p >> _WORD) ^ d ^ q, p & _LOW
        k, q = (k + np.uint64(0x9E3779B9)) & _LOW, (q + np.uint64(0xBB67AE85)) & _LOW
    return np.stack([a, b, c, d], -1)


def _words(key: np.ndarray) -> np.ndarray:
    return key[:4].astype(np.int64) & 0xFFFFFFFF


@kernel(40, "key:in:i32[4] out:out[n] n stream:stride")
def uniform(p: Arrays, v: Ints, begin: int, end: int) -> None:
    """Numbers evenly spread over [0, 1), from the words of Philox4x32-10 with words 0 and 1 of `key` as its key and
    (block, stream, key[2], key[3]) as its counter.

    f32: out[i] = (word i mod 4 of block i div 4, shifted right by 8) * 2^-24. f64: words a and b are the pair i mod 2
    of block i div 2, and out[i] = ((a >> 5) * 2^26 + (b >> 6)) * 2^-53.
    """
    out, words = p["out"], _words(p["key"])
    each = 4 if out.dtype == np.float32 else 2
    blocks = np.arange(-(-v["n"] // each), dtype=np.int64)
    counter = np.stack(np.broadcast_arrays(blocks, v["stream"], words[2], words[3]), -1)
    bits = philox(counter, words[:2])
    if each == 4:
        numbers = (bits >> np.uint64(8)).astype(np.float64) * 2.0**-24
    else:
        high, low = bits[:, ::2] >> np.uint64(5), bits[:, 1::2] >> np.uint64(6)
        numbers = (high.astype(np.float64) * 2.0**26 + low.astype(np.float64)) * 2.0**-53
    out[: v["n"]] = numbers.reshape(-1)[: v["n"]]


@kernel(41, "key:in:i32[4] out:out:i32[4] steps")
def next_key(p: Arrays, v: Ints, begin: int, end: int) -> None:
    """out = key `steps` further: (key[2], key[3]) as a number of 64 bits, low word first, plus steps, modulo 2^64."""
    words = _words(p["key"])
    count = (int(words[2]) + (int(words[3]) << 32) + v["steps"]) % 2**64
    made = np.array([words[0], words[1], count & 0xFFFFFFFF, count >> 32], np.int64)
    p["out"][:4] = made.astype(np.uint32).view(np.int32)
