"""The convolutions, channels last; imported only by plans that have one.

Each keeps one row of sums in a list made at load (the last argument): an element of the output's innermost axis each.
Reading x once and running over that row costs three boxed floats a term instead of four.
"""


def conv2d(args, begin, end):
    x, x0, w, w0, out, o, n, h, wide, c, oh, ow, f, kh, kw, sh, sw, ph, pw, sums = args
    for row in range(begin, end):
        image = row // oh
        top = (row - image * oh) * sh - ph
        image = x0 + image * h * wide * c
        for j in range(ow):
            left = j * sw - pw
            for k in range(f):
                sums[k] = 0.0
            for di in range(kh):
                if 0 <= top + di < h:
                    for dj in range(kw):
                        if 0 <= left + dj < wide:
                            p = image + ((top + di) * wide + left + dj) * c
                            q = w0 + (di * kw + dj) * c * f
                            for p in range(p, p + c):
                                v = x[p]
                                for k in range(f):
                                    sums[k] += v * w[q]
                                    q += 1
            for k in range(f):
                out[o] = sums[k]
                o += 1


def conv2d_grad_x(args, begin, end):
    y, y0, w, w0, out, o, n, h, wide, c, oh, ow, f, kh, kw, sh, sw, ph, pw, sums = args
    for row in range(begin, end):
        image = row // h
        low = row - image * h + ph
        image = y0 + image * oh * ow * f
        for s in range(wide):
            for k in range(c):
                sums[k] = 0.0
            for di in range(kh):
                i = (low - di) // sh
                if 0 <= i < oh and i * sh == low - di:
                    for dj in range(kw):
                        j = (s + pw - dj) // sw
                        if 0 <= j < ow and j * sw == s + pw - dj:
                            first = image + (i * ow + j) * f
                            last = first + f
                            q = w0 + (di * kw + dj) * c * f
                            for k in range(c):
                                v = sums[k]
                                for p in range(first, last):
                                    v += y[p] * w[q]
                                    q += 1
                                sums[k] = v
            for k in range(c):
                out[o] = sums[k]
                o += 1


def conv2d_grad_w(args, begin, end):
    x, x0, y, y0, out, o, n, h, wide, c, oh, ow, f, kh, kw, sh, sw, ph, pw, sums = args
    for row in range(begin, end):
        tap = row // c
        top = tap // kw - ph
        left = tap % kw - pw
        channel = x0 + row - tap * c
        for k in range(f):
            sums[k] = 0.0
        q = y0
        for image in range(n):
            for i in range(oh):
                r = i * sh + top
                if 0 <= r < h:
                    r = channel + (image * h + r) * wide * c
                    for j in range(ow):
                        s = j * sw + left
                        if 0 <= s < wide:
                            v = x[r + s * c]
                            for k in range(f):
                                sums[k] += v * y[q]
                                q += 1
                        else:
                            q += f
                else:
                    q += ow * f
        for k in range(f):
            out[o] = sums[k]
            o += 1


KERNELS = {20: conv2d, 21: conv2d_grad_x, 22: conv2d_grad_w}


def row_length(number, v):
    """How many sums a kernel keeps: the channels of its output."""
    return v[3] if number == 21 else v[6]
