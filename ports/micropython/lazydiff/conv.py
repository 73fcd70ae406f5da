"""The convolutions, channels last; imported only by plans that have one.

Each keeps one row of sums in a list made at load (the last argument): an element of the output's innermost axis each.
Reading x once and running over that row costs three boxed floats a term instead of four. c and f count the channels of one
group; the row holds those of all groups.
"""


def conv2d(args, begin, end):
    x, x0, w, w0, out, o, n, h, wide, c, oh, ow, f, groups, kh, kw, sh, sw, dh, dw, ph, pw, sums = args
    for row in range(begin, end):
        image = row // oh
        top = (row - image * oh) * sh - ph
        image = x0 + image * h * wide * groups * c
        for j in range(ow):
            left = j * sw - pw
            for k in range(groups * f):
                sums[k] = 0.0
            for di in range(kh):
                if 0 <= top + di * dh < h:
                    for dj in range(kw):
                        if 0 <= left + dj * dw < wide:
                            p = image + ((top + di * dh) * wide + left + dj * dw) * groups * c
                            first = w0 + (di * kw + dj) * c * groups * f
                            for k in range(0, groups * f, f):
                                q = first + k
                                for p in range(p, p + c):
                                    v = x[p]
                                    for k in range(k, k + f):
                                        sums[k] += v * w[q]
                                        q += 1
                                    k -= f - 1
                                    q += (groups - 1) * f
                                p += 1
            for k in range(groups * f):
                out[o] = sums[k]
                o += 1


def conv2d_grad_x(args, begin, end):
    y, y0, w, w0, out, o, n, h, wide, c, oh, ow, f, groups, kh, kw, sh, sw, dh, dw, ph, pw, sums = args
    for row in range(begin, end):
        image = row // h
        low = row - image * h + ph
        image = y0 + image * oh * ow * groups * f
        for s in range(wide):
            for k in range(groups * c):
                sums[k] = 0.0
            for di in range(kh):
                i = (low - di * dh) // sh
                if 0 <= i < oh and i * sh == low - di * dh:
                    for dj in range(kw):
                        j = (s + pw - dj * dw) // sw
                        if 0 <= j < ow and j * sw == s + pw - dj * dw:
                            first = image + (i * ow + j) * groups * f
                            q0 = w0 + (di * kw + dj) * c * groups * f
                            for k in range(groups * c):
                                q = q0 + (k % c) * groups * f + k // c * f
                                last = first + k // c * f
                                v = sums[k]
                                for p in range(last, last + f):
                                    v += y[p] * w[q]
                                    q += 1
                                sums[k] = v
            for k in range(groups * c):
                out[o] = sums[k]
                o += 1


def conv2d_grad_w(args, begin, end):
    x, x0, y, y0, out, o, n, h, wide, c, oh, ow, f, groups, kh, kw, sh, sw, dh, dw, ph, pw, sums = args
    for row in range(begin, end):
        tap = row // c
        top = tap // kw * dh - ph
        left = tap % kw * dw - pw
        channel = x0 + row - tap * c
        for k in range(groups * f):
            sums[k] = 0.0
        q = y0
        for image in range(n):
            for i in range(oh):
                r = i * sh + top
                if 0 <= r < h:
                    r = (image * h + r) * wide
                    for j in range(ow):
                        s = j * sw + left
                        if 0 <= s < wide:
                            p = channel + (r + s) * groups * c
                            for k in range(0, groups * f, f):
                                v = x[p]
                                for k in range(k, k + f):
                                    sums[k] += v * y[q]
                                    q += 1
                                p += c
                        else:
                            q += groups * f
                else:
                    q += ow * groups * f
        for k in range(groups * f):
            out[o] = sums[k]
            o += 1


KERNELS = {20: conv2d, 21: conv2d_grad_x, 22: conv2d_grad_w}


def row_length(number, v):
    """How many sums a kernel keeps: the channels of its output."""
    return v[7] * (v[3] if number == 21 else v[6])
