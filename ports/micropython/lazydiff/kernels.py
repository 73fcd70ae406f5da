"""Reductions and matrix products. Each takes one tuple made at load, and the rows begin..end-1 of its output.

A tuple, not arguments, because `f(*args)` allocates in MicroPython and unpacking does not. An operand is an array and
the index of its first element. Sums run in MicroPython's own float and are rounded once, at the store.
"""


def reduce_sum(args, begin, end):
    x, x0, out, o, _, red, inner, behind = args
    x0 += behind[0]
    o += behind[1]
    for i in range(begin, end):
        base = x0 + i * red * inner
        for p in range(base, base + inner):
            s = 0.0
            for k in range(red):
                s += x[p]
                p += inner
            out[o] = s
            o += 1


def sum_rows(args, begin, end):
    x, x0, out, o, _, columns, behind = args
    x0 += behind[0]  # of row `begin`
    for p in range(x0, x0 + columns):
        s = out[o] if begin else 0.0
        for k in range(begin, end):
            s += x[p]
            p += columns
        out[o] = s
        o += 1


def reduce_max(args, begin, end):
    x, x0, out, o, _, red, inner, behind = args
    x0 += behind[0]
    o += behind[1]
    for i in range(begin, end):
        base = x0 + i * red * inner
        for p in range(base, base + inner):
            s = x[p]
            for k in range(red):
                v = x[p]
                if v > s or v != v:
                    s = v
                    if v != v:
                        break
                p += inner
            out[o] = s
            o += 1


def reduce_min(args, begin, end):
    x, x0, out, o, _, red, inner, behind = args
    x0 += behind[0]
    o += behind[1]
    for i in range(begin, end):
        base = x0 + i * red * inner
        for p in range(base, base + inner):
            s = x[p]
            for k in range(red):
                v = x[p]
                if v < s or v != v:
                    s = v
                    if v != v:
                        break
                p += inner
            out[o] = s
            o += 1


def argmax(args, begin, end):
    x, x0, out, o, _, red, inner, behind = args
    x0 += behind[0]
    o += behind[1]
    for i in range(begin, end):
        base = x0 + i * red * inner
        for p in range(base, base + inner):
            s = x[p]
            at = 0
            for k in range(red):
                v = x[p]
                if v != v:
                    at = k
                    break
                if v > s:
                    s = v
                    at = k
                p += inner
            out[o] = at
            o += 1


def matmul_nn(args, begin, end):
    a, a0, b, b0, out, o, batch, m, k, n, a_step, b_step = args
    for row in range(begin, end):
        i = row // m
        first = a0 + i * a_step + (row - i * m) * k
        last = first + k
        column = b0 + i * b_step
        for o in range(o, o + n):
            s = 0.0
            q = column
            for p in range(first, last):
                s += a[p] * b[q]
                q += n
            out[o] = s
            column += 1
        o += 1


def matmul_nt(args, begin, end):
    a, a0, b, b0, out, o, batch, m, k, n, a_step, b_step = args
    for row in range(begin, end):
        i = row // m
        first = a0 + i * a_step + (row - i * m) * k
        last = first + k
        q = b0 + i * b_step
        for o in range(o, o + n):
            s = 0.0
            for p in range(first, last):
                s += a[p] * b[q]
                q += 1
            out[o] = s
        o += 1


def matmul_tn(args, begin, end):
    a, a0, b, b0, out, o, batch, m, k, n, a_step, b_step = args
    for row in range(begin, end):
        i = row // m
        first = a0 + i * a_step + (row - i * m)
        column = b0 + i * b_step
        for o in range(o, o + n):
            s = 0.0
            p = first
            q = column
            for _ in range(k):
                s += a[p] * b[q]
                p += m
                q += n
            out[o] = s
            column += 1
        o += 1


KERNELS = {
    2: reduce_sum,
    3: reduce_max,
    4: reduce_min,
    5: argmax,
    10: matmul_nn,
    11: matmul_nt,
    12: matmul_tn,
    29: sum_rows,
}
