"""Pooling by index, channels last; imported only by plans that have one. An index that no tap has counts as none.

The last argument has for each operand how many elements behind its first one the images begin (group.py).
"""


def max_pool_index(args, begin, end):
    x, x0, out, o, n, h, wide, c, oh, ow, kh, kw, sh, sw, ph, pw, at = args
    x0 += at[0]
    o += at[1]
    for row in range(begin, end):
        image = row // oh
        top = (row - image * oh) * sh - ph
        image *= h
        for j in range(ow):
            left = j * sw - pw
            for channel in range(x0, x0 + c):
                best = 0.0
                won = 255
                for di in range(kh):
                    if 0 <= top + di < h and best == best:
                        p = channel + ((image + top + di) * wide + left) * c
                        for dj in range(kw):
                            if 0 <= left + dj < wide:
                                v = x[p]
                                if won == 255 or not v <= best:
                                    best = v
                                    won = di * kw + dj
                                    if v != v:
                                        break
                            p += c
                out[o] = won
                o += 1


def pool_gather(args, begin, end):
    x, x0, index, k, out, o, n, h, wide, c, oh, ow, kh, kw, sh, sw, ph, pw, at = args
    x0 += at[0]
    k += at[1] + begin * ow * c
    o += at[2]
    for row in range(begin, end):
        image = row // oh
        top = (row - image * oh) * sh - ph
        image *= h
        for j in range(ow):
            left = j * sw - pw
            for channel in range(x0, x0 + c):
                tap = index[k]
                r = top + tap // kw
                q = left + tap % kw
                if tap < kh * kw and 0 <= r < h and 0 <= q < wide:
                    out[o] = x[channel + ((image + r) * wide + q) * c]
                else:
                    out[o] = 0.0
                k += 1
                o += 1


def pool_scatter(args, begin, end):
    y, y0, index, k0, out, o, n, h, wide, c, oh, ow, kh, kw, sh, sw, ph, pw, at = args
    y0 += at[0]
    k0 += at[1]
    o += at[2]
    for row in range(begin, end):
        image = row // h
        low = row - image * h + ph
        image *= oh
        for p in range(o, o + wide * c):
            out[p] = 0.0
        for i in range(oh):
            first = (low - i * sh) * kw
            if 0 <= first < kh * kw:
                k = (image + i) * ow * c
                for j in range(ow):
                    left = j * sw - pw - first
                    for channel in range(o, o + c):
                        q = left + index[k0 + k]
                        if 0 <= index[k0 + k] - first < kw and 0 <= q < wide:
                            out[channel + q * c] += y[y0 + k]
                        k += 1
        o += wide * c


KERNELS = {23: max_pool_index, 24: pool_gather, 25: pool_scatter}
