"""Philox4x32-10: the same numbers as in C. Where a small integer has 31 bits, a word of 32 is an object, as a float is.

Products go by halves of 16 bits, so that where small integers have 63 bits none of them is an object.
"""

# Written so that MicroPython, which may read a decimal fraction one bit off, has them exactly: 2^-24 and 2^-53.
_UNIT24 = 1.0 / 16777216.0
_UNIT53 = 1.0 / 67108864.0 / 134217728.0


def _high(a, b):
    """The upper 32 bits of a * b, for words a and b."""
    low = a & 0xFFFF
    a >>= 16
    middle = a * (b & 0xFFFF) + (low * (b & 0xFFFF) >> 16)
    return a * (b >> 16) + (middle >> 16) + ((middle & 0xFFFF) + low * (b >> 16) >> 16)


def _low(a, b):
    """The lower 32 bits of a * b."""
    return (a & 0xFFFF) * b + ((a >> 16) * (b & 0xFFFF) << 16) & 0xFFFFFFFF


def _block(c, k, q):
    """Replace the four words of c by the random words of that counter under the key (k, q)."""
    for _ in range(10):
        a = c[0]
        b = c[2]
        c[0] = _high(b, 0xCD9E8D57) ^ c[1] ^ k
        c[1] = _low(b, 0xCD9E8D57)
        c[2] = _high(a, 0xD2511F53) ^ c[3] ^ q
        c[3] = _low(a, 0xD2511F53)
        k = k + 0x9E3779B9 & 0xFFFFFFFF
        q = q + 0xBB67AE85 & 0xFFFFFFFF


def _uniform32(args, begin, end):
    key, k0, out, o, n, stream, c = args
    for i in range(n):
        if not i & 3:
            _start(c, i >> 2, stream, key, k0)
        out[o + i] = (c[i & 3] >> 8) * _UNIT24


def _uniform64(args, begin, end):
    key, k0, out, o, n, stream, c = args
    for i in range(n):
        if not i & 1:
            _start(c, i >> 1, stream, key, k0)
        at = 2 * (i & 1)
        out[o + i] = ((c[at] >> 5) * 67108864.0 + (c[at + 1] >> 6)) * _UNIT53


def _start(c, block, stream, key, k0):
    c[0] = block
    c[1] = stream
    c[2] = key[k0 + 2] & 0xFFFFFFFF
    c[3] = key[k0 + 3] & 0xFFFFFFFF
    _block(c, key[k0] & 0xFFFFFFFF, key[k0 + 1] & 0xFFFFFFFF)


def _signed(word):
    return word - 0x100000000 if word & 0x80000000 else word


def next_key(args, begin, end):
    key, k0, out, o, steps = args
    low = (key[k0 + 2] & 0xFFFFFFFF) + steps
    high = (key[k0 + 3] & 0xFFFFFFFF) + (low >> 32)
    out[o] = key[k0]
    out[o + 1] = key[k0 + 1]
    out[o + 2] = _signed(low & 0xFFFFFFFF)
    out[o + 3] = _signed(high & 0xFFFFFFFF)


def kernel(number, dtype, args):
    """The function of a kernel for a compute dtype; `uniform` gets the four words that it works in."""
    if number == 41:
        return next_key
    args.append([0, 0, 0, 0])
    return _uniform32 if dtype == 1 else _uniform64
