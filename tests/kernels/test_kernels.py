"""Each kernel with fixed operands against its declaration, over shapes that straddle lanes, column blocks and edges."""

from fractions import Fraction

import numpy as np
import pytest

from cases import UNPOOLED, shapes
from lazydiff.dtypes import FLOATS, f64, i32
from lazydiff.kernels.signature import extent_elements
from lazydiff.plan.model import KERNELS, MAP
from native import build, call


def every_case():
    for kernel in KERNELS.values():
        if kernel.number != MAP:
            for words in shapes(kernel):
                assert len(words) == len(kernel.attrs), kernel.name
                for dtype in kernel.dtypes:
                    yield pytest.param(kernel, words, dtype, id=f"{kernel.name}-{'.'.join(map(str, words))}-{dtype}")


CASES = list(every_case())


@pytest.fixture(scope="module")
def lib(tmp_path_factory):
    return build(tmp_path_factory.mktemp("kernels"), "gcc", "-O3")


def operands(kernel, words, dtype, seed=1):
    """Random inputs and outputs full of a value that must go, by name; and the attributes by name."""
    values = {a.name: w for a, w in zip(kernel.attrs, words, strict=True)}
    rng, arrays = np.random.default_rng(seed), {}
    for o in kernel.operands:
        size = extent_elements(o.extent, values)
        kind = (o.dtype or dtype).numpy
        values_in = rng.integers(0, 12, size) if kind == np.uint8 else rng.normal(size=size)
        arrays[o.name] = np.full(size, 77, kind) if o.writes else values_in.astype(kind)
    return arrays, values


def adds(kernel):
    return any(o.mode == "add" for o in kernel.operands)


def run(lib, kernel, words, dtype, begin=0, end=None):
    arrays, values = operands(kernel, words, dtype)
    rows = extent_elements(kernel.rows, values) if kernel.rows else 0
    end = rows if end is None else end
    if kernel.rows and not adds(kernel):
        arrays["out"] = arrays["out"][: arrays["out"].size // rows * (end - begin)]
    call(lib, kernel, dtype, list(arrays.values()), words, begin, end)
    return arrays["out"]


@pytest.mark.parametrize(("kernel", "words", "dtype"), CASES)
def test_a_kernel_computes_what_its_declaration_means(lib, kernel, words, dtype):
    arrays, values = operands(kernel, words, dtype)
    wide = {n: a.astype(np.float64) if a.dtype.kind == "f" else a for n, a in arrays.items()}
    if all(o.dtype == i32 or o.writes for o in kernel.operands):  # bits in, bits out: nothing to compute more exactly
        wide = arrays
    kernel.meaning(wide, values, 0, extent_elements(kernel.rows, values) if kernel.rows else 0)
    close = 1e-5 if dtype != f64 else 1e-13
    np.testing.assert_allclose(run(lib, kernel, words, dtype), wide["out"], rtol=close, atol=10 * close)


@pytest.mark.parametrize(("kernel", "words", "dtype"), [p for p in CASES if p.values[0].rows and not adds(p.values[0])])
def test_rows_computed_a_few_at_a_time_are_the_same_bits(lib, kernel, words, dtype):
    _, values = operands(kernel, words, dtype)
    rows = extent_elements(kernel.rows, values)
    whole = run(lib, kernel, words, dtype)
    for tile in (1, 2, 3, 5):
        parts = [run(lib, kernel, words, dtype, r, min(rows, r + tile)) for r in range(0, rows, tile)]
        assert np.concatenate(parts).tobytes() == whole.tobytes(), f"tiles of {tile} rows"


@pytest.mark.parametrize(("kernel", "words", "dtype"), [p for p in CASES if adds(p.values[0])])
def test_rows_added_up_range_after_range_are_the_same_bits(lib, kernel, words, dtype):
    rows, columns = words
    whole = run(lib, kernel, words, dtype)
    for tile in (1, 2, 3, 5):
        arrays, _ = operands(kernel, words, dtype)
        for r in range(0, rows, tile):
            end = min(rows, r + tile)
            call(lib, kernel, dtype, [arrays["x"][r * columns : end * columns], arrays["out"]], words, r, end)
        assert arrays["out"].tobytes() == whole.tobytes(), f"ranges of {tile} rows"


@pytest.mark.parametrize("name", ["take", "add_rows"])
def test_an_index_of_any_value_stays_inside(lib, name):
    kernel = next(k for k in KERNELS.values() if k.name == name)
    for words in ((1, 5, 6, 3), (2, 1, 6, 1)):
        for dtype in FLOATS:
            arrays, values = operands(kernel, words, dtype)
            arrays["index"][:] = [-(2**31), 2**31 - 1, -1, values["red"], 0, values["red"] - 1]
            wanted = dict(arrays, out=arrays["out"].copy())
            kernel.meaning(wanted, values, 0, extent_elements(kernel.rows, values))
            call(lib, kernel, dtype, list(arrays.values()), words, 0, extent_elements(kernel.rows, values))
            np.testing.assert_array_equal(arrays["out"], wanted["out"])


@pytest.mark.parametrize("dtype", FLOATS, ids=str)
@pytest.mark.parametrize("words", UNPOOLED, ids=str)
def test_an_unpooled_gradient_is_the_whole_ones_bits(lib, words, dtype):
    """As if pool_scatter had made the gradient of the convolution's output, and one of its transposes had read that."""
    named = {k.name: k for k in KERNELS.values()}
    for name in ("unpool_grad_w", "unpool_grad_x"):
        arrays, v = operands(named[name], words, dtype)
        pool = (v["n"], v["oh"], v["ow"], v["fg"], v["poh"], v["pow"], *words[17:])
        y = np.zeros(v["n"] * v["oh"] * v["ow"] * v["fg"], dtype.numpy)
        given = [arrays["pooled"], arrays["index"], y]
        call(lib, named["pool_scatter"], dtype, given, pool, 0, v["n"] * v["oh"])
        kernel = named[name.replace("unpool", "conv2d")]
        conv = (*words[:7], 1, *words[7:15])
        rows = extent_elements(kernel.rows, dict(zip((a.name for a in kernel.attrs), conv, strict=True)))
        wanted = np.zeros_like(arrays["out"])
        others = [arrays["x"], y] if name == "unpool_grad_w" else [y, arrays["weight"]]
        call(lib, kernel, dtype, [*others, wanted], conv, 0, rows)
        call(lib, named[name], dtype, list(arrays.values()), words, 0, rows)
        assert arrays["out"].tobytes() == wanted.tobytes(), name


def fma(a, b, c):
    """a * b + c in float64, rounded once."""
    return float(Fraction(a) * Fraction(b) + Fraction(c))


@pytest.mark.parametrize(("m", "n"), [(2, 5), (1, 19), (11, 1)])
def test_float64_products_are_the_contracts_bits(lib, m, n):
    words = (1, m, 21, n, m * 21, 21 * n)
    for name in ("matmul_nn", "matmul_nt", "matmul_tn"):
        kernel = next(k for k in KERNELS.values() if k.name == name)
        arrays, _ = operands(kernel, words, f64)
        a = arrays["a"].reshape(21, m).T if name == "matmul_tn" else arrays["a"].reshape(m, 21)
        b = arrays["b"].reshape(n, 21).T if name == "matmul_nt" else arrays["b"].reshape(21, n)
        found = run(lib, kernel, words, f64).reshape(m, n)
        for i, j in np.ndindex(m, n):
            total = 0.0
            for k in range(21):
                total = fma(a[i, k], b[k, j], total)
            assert found[i, j] == total, name


@pytest.mark.parametrize("dtype", FLOATS, ids=str)
def test_extremes_meet_nan_and_equal_values_as_numpy_does(lib, dtype):
    rows = [[1, 3, 3, 2], [np.nan, 1, 2, 3], [1, np.nan, 9, np.nan], [-np.inf, -1, -np.inf, -2], [5, 5, 5, 5]]
    x = np.array(rows, dtype.numpy)
    for name, meaning in (("reduce_max", np.max), ("reduce_min", np.min), ("argmax", np.argmax)):
        kernel = next(k for k in KERNELS.values() if k.name == name)
        for data, axis, words in ((x, 1, (5, 4, 1)), (x.T.copy(), 0, (1, 4, 5))):
            out = np.zeros(5, i32.numpy if name == "argmax" else dtype.numpy)
            call(lib, kernel, dtype, [data.reshape(-1).copy(), out], words, 0, words[0])
            np.testing.assert_array_equal(out, meaning(data, axis=axis), name)


@pytest.mark.parametrize("dtype", FLOATS, ids=str)
def test_the_first_greatest_tap_wins_and_nan_is_the_greatest(lib, dtype):
    nan, least = np.nan, -np.inf
    windows = [[1, 3, 3, 2], [nan, 1, nan, 3], [1, 5, nan, 9], [least] * 4, [0.0, -0.0, 0.0, -1], [least, nan, nan, 7]]
    kernel = next(k for k in KERNELS.values() if k.name == "max_pool_index")
    for words in ((6, 2, 2, 1, 1, 1, 2, 2, 2, 2, 0, 0), (6, 1, 4, 1, 1, 1, 1, 4, 1, 1, 0, 0)):
        out = np.zeros(6, np.uint8)
        call(lib, kernel, dtype, [np.array(windows, dtype.numpy).reshape(-1), out], words, 0, 6)
        np.testing.assert_array_equal(out, [1, 0, 2, 0, 0, 1])


@pytest.mark.parametrize("dtype", FLOATS, ids=str)
@pytest.mark.parametrize("window", [(2, 2), (3, 5), (1, 7), (16, 16), (255, 255)])
def test_no_index_byte_leads_out_of_the_buffers(lib, dtype, window):
    """Every byte at every window: one that is no tap, or a tap in the padding, reads 0 and adds to nothing."""
    (kh, kw), h, w = window, 9, 8
    for ph, pw in ((0, 0), (kh // 2, kw // 2)):
        words = (256, h, w, 1, 2, 3, kh, kw, 7, 3, ph, pw)
        index = np.repeat(np.arange(256, dtype=np.uint8), 6)
        x = np.arange(1, 256 * h * w + 1).astype(dtype.numpy).reshape(256, h, w)
        gather, scatter = (next(k for k in KERNELS.values() if k.name == f"pool_{n}") for n in ("gather", "scatter"))
        y, back = np.zeros(index.size, dtype.numpy), np.full(x.size, 77, dtype.numpy)
        call(lib, gather, dtype, [x.reshape(-1), index, y], words, 0, 512)
        call(lib, scatter, dtype, [np.ones(index.size, dtype.numpy), index, back], words, 0, 256 * h)
        wanted, count = np.zeros((256, 2, 3)), np.zeros(x.shape)
        for tap, i, j in np.ndindex(wanted.shape):
            r, q = i * 7 + tap // kw - ph, j * 3 + tap % kw - pw
            if tap < kh * kw and 0 <= r < h and 0 <= q < w:
                wanted[tap, i, j] = x[tap, r, q]
                count[tap, r, q] += 1
        np.testing.assert_array_equal(y, wanted.reshape(-1))
        np.testing.assert_array_equal(back, count.reshape(-1))
