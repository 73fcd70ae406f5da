"""Running sums, and rows picked or added up by number. As in kernels.py, one tuple made at load, and rows begin..end-1."""


def cumsum(args, begin, end):
    x, x0, out, o, outer, red, inner, reverse = args
    step = -inner if reverse else inner
    for i in range(outer * inner):
        p = i // inner * red * inner + i % inner
        if reverse:
            p += (red - 1) * inner
        s = 0.0
        for k in range(red):
            s += x[x0 + p]
            out[o + p] = s
            p += step


def take(args, begin, end):
    x, x0, index, j0, out, o, outer, red, count, inner = args
    for row in range(begin, end):
        i = row // count
        r = index[j0 + row - i * count]
        r = 0 if r < 0 else r if r < red else red - 1
        p = x0 + (i * red + r) * inner
        for k in range(inner):
            out[o] = x[p + k]
            o += 1


def add_rows(args, begin, end):
    x, x0, index, j0, out, o, outer, red, count, inner = args
    for k in range(o, o + (end - begin) * inner):
        out[k] = 0.0
    row = begin
    while row < end:
        i = row // red
        first = row - i * red
        rows = min(red - first, end - row)
        p = x0 + i * count * inner
        for j in range(j0, j0 + count):
            r = index[j]
            r = (0 if r < 0 else r if r < red else red - 1) - first
            if 0 <= r < rows:
                q = o + (row - begin + r) * inner
                for k in range(inner):
                    out[q + k] += x[p + k]
            p += inner
        row += rows


KERNELS = {6: cumsum, 30: take, 31: add_rows}
