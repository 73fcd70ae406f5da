"""The transposes of a pooled convolution; imported only by plans that have one. They make a row of its gradient at a time."""

from .pool import pool_scatter


def _row(args):
    """The arguments of pool_scatter for the row, made at load: arrays and places, then its own attributes."""
    y, y0, index, k0, row, r0, v = args
    n, oh, ow, f = v[0], v[4], v[5], v[6]
    return (y, y0, index, k0, row, r0, n, oh, ow, f) + tuple(v[15:]) + ([0, 0, 0],)


def prepare(number, args):
    """The arguments of a kernel: its own, and those of the scatter in it. args: five places, then the attributes."""
    places, v = args[:10], args[10:]
    if number == 27:
        x, pooled, row, out = places[:2], places[2:6], places[6:8], places[8:]
        return tuple(x + row + out + v[:15]) + (_row(tuple(pooled + row) + (v,)),)
    pooled, weight, row, out = places[:4], places[4:6], places[6:8], places[8:]
    return tuple(weight + row + out + v[:15]) + (_row(tuple(pooled + row) + (v,)),)


def unpool_grad_w(args, begin, end):
    x, x0, y, y0, out, o, n, h, wide, c, oh, ow, f, kh, kw, sh, sw, dh, dw, ph, pw, scatter = args
    for k in range(o, o + (end - begin) * f):
        out[k] = 0.0
    for line in range(n * oh):
        image = line // oh
        i = line - image * oh
        pool_scatter(scatter, line, line + 1)
        q = o
        for row in range(begin, end):
            tap = row // c
            r = i * sh + tap // kw * dh - ph
            left = tap % kw * dw - pw
            if 0 <= r < h:
                r = (image * h + r) * wide
                channel = x0 + row - tap * c
                p = y0
                for j in range(ow):
                    s = j * sw + left
                    if 0 <= s < wide:
                        v = x[channel + (r + s) * c]
                        for k in range(f):
                            out[q + k] += v * y[p + k]
                    p += f
            q += f


def unpool_grad_x(args, begin, end):
    w, w0, y, y0, out, o, n, h, wide, c, oh, ow, f, kh, kw, sh, sw, dh, dw, ph, pw, scatter = args
    for k in range(o, o + n * h * wide * c):
        out[k] = 0.0
    for line in range(n * oh - 1, -1, -1):
        image = line // oh
        i = line - image * oh
        pool_scatter(scatter, line, line + 1)
        for di in range(kh):
            r = i * sh + di * dh - ph
            if 0 <= r < h:
                r = (image * h + r) * wide
                for dj in range(kw):
                    p = y0
                    for j in range(ow):
                        s = j * sw + dj * dw - pw
                        if 0 <= s < wide:
                            to = o + (r + s) * c
                            q = w0 + (di * kw + dj) * c * f
                            for to in range(to, to + c):
                                v = out[to]
                                for k in range(f):
                                    v += y[p + k] * w[q]
                                    q += 1
                                out[to] = v
                        p += f


KERNELS = {27: unpool_grad_w, 28: unpool_grad_x}
