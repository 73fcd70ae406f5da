"""The runtime's functions: NumPy's or SciPy's value, dense and at every corner; the same bits in every build."""

import ctypes
import subprocess

import numpy as np
import pytest
from scipy import special

from lazydiff.dtypes import FLOATS, f32
from lazydiff.kernels.opcodes import BY_NAME, LOAD, OPCODES, STORE
from native import FLAGS, ROOT
from test_math import ulps
from tools_needed import require

CODES = [code for code in OPCODES.values() if code not in (LOAD, STORE)]
BUILDS = [
    ("gcc", "-O2"),
    ("gcc", "-O0"),
    ("gcc", "-O3", "-march=native"),
    ("clang", "-O3", "-march=native", "-fno-unroll-loops"),
]
SPECIAL = [0.0, -0.0, 1, -1, 0.5, -0.5, 1.5, 2.5, -2.5, np.pi, 1e-3, 9.5, -9.5, 88.9, -104.5, 710.2, -746.5, 1e4, 1e9]
SPECIAL += [1e30, -1e30, 1e38, 1e-30, 1e-40, -1e-42, 5e-324, 1e300, 1.7e308, -1e-310, np.inf, -np.inf, np.nan]
# On the samples below, in float32 and float64. Over all of float32 atan, acosh and erfc reach a little more (README).
WORST_ULP = {
    "exp": 1.1,
    "exp2": 0.9,
    "expm1": 1.2,
    "log": 0.9,
    "log1p": 0.9,
    "log2": 0.51,
    "log10": 0.51,
    "tanh": 1.5,
    "sin": 1.2,
    "cos": 1.2,
    "tan": 2.7,
    "asin": 0.7,
    "acos": 0.7,
    "atan": 0.9,
    "sinh": 1.7,
    "cosh": 1.3,
    "asinh": 1.5,
    "acosh": 2,
    "atanh": 1,
    "sqrt": 0.5,
    "atan2": 0.9,
    "hypot": 1.01,
    **dict.fromkeys(("floor", "ceil", "round", "trunc", "isnan", "isfinite", "fmod", "square"), 0.5),
}


def sample(dtype, size=4096):
    """The special values, then numbers near 0 and numbers of every size."""
    rng = np.random.default_rng(size)
    with np.errstate(over="ignore", under="ignore"):
        spread = rng.normal(size=size) * np.exp(rng.normal(size=size) * 12)
        return np.concatenate([SPECIAL, rng.normal(size=size) * 3, spread]).astype(dtype.numpy)


def operands(code, dtype):
    """Arguments for an opcode: of two, every special value beside every other, then the samples."""
    if code.arity == 1:
        return [sample(dtype)]
    with np.errstate(over="ignore", under="ignore"):
        grid = [g.reshape(-1).astype(dtype.numpy) for g in np.meshgrid(SPECIAL, SPECIAL)]
    x = sample(dtype, 2000)
    a, b, c = grid[0], grid[1], grid[0][::-1]
    return [np.concatenate([a, x]), np.concatenate([b, x[::-1]]), np.concatenate([c, x])][: code.arity]


@pytest.fixture(scope="module")
def builds(tmp_path_factory):
    """The opcodes alone, as each compiler makes them: shared libraries by the build's name."""
    folder, libraries = tmp_path_factory.mktemp("builds"), {}
    sources = [str(ROOT / "c_kernels/src" / f"k_ops_{dtype}.c") for dtype in FLOATS]
    for compiler, *options in BUILDS:
        path = folder / f"{compiler}{''.join(options)}.so"
        command = [require(compiler), *FLAGS, *options, "-shared", "-fPIC", *sources]
        subprocess.run([*command, "-lm", "-o", str(path)], check=True)
        libraries[" ".join([compiler, *options])] = ctypes.CDLL(str(path))
    return libraries


def compute(library, code, dtype, arrays):
    out = np.empty(arrays[0].size, dtype.numpy)
    three = [*arrays, *arrays, *arrays][:3]
    arguments = [x for a in three for x in (ctypes.c_void_p(a.ctypes.data), ctypes.c_int32(1))]
    function = getattr(library, f"lzd_op_{code.name}_{dtype}")
    function(ctypes.c_void_p(out.ctypes.data), *arguments, ctypes.c_uint32(out.size))
    return out


@pytest.mark.parametrize("dtype", FLOATS, ids=str)
def test_every_function_has_the_same_bits_in_every_build(builds, dtype):
    for code in CODES:
        arrays = operands(code, dtype)
        found = {name: compute(library, code, dtype, arrays) for name, library in builds.items()}
        first = next(iter(found.values()))
        for name, bits in found.items():
            same = (bits.view(np.uint8).reshape(bits.size, -1) == first.view(np.uint8).reshape(bits.size, -1)).all(1)
            wrong = ~same & ~(np.isnan(bits) & np.isnan(first))  # a NaN is a NaN
            assert not wrong.any(), (code.name, name, [a[wrong][:3] for a in arrays])


@pytest.mark.parametrize("dtype", FLOATS, ids=str)
@pytest.mark.parametrize("name", WORST_ULP)
def test_a_function_is_as_close_to_the_truth_as_stated(builds, name, dtype):
    code = BY_NAME[name]
    arrays = operands(code, dtype)
    wide = np.float64 if dtype is f32 else np.longdouble
    with np.errstate(all="ignore"):
        truth = np.asarray(code.numpy(*(a.astype(wide) for a in arrays)))
    with np.errstate(all="ignore"):
        found = compute(builds["gcc -O2"], code, dtype, arrays)
        assert ulps(found, truth) <= WORST_ULP[name]
        zero = (found == 0) & (truth == 0)
        np.testing.assert_array_equal(np.signbit(found[zero]), np.signbit(truth[zero]))


@pytest.mark.parametrize("dtype", FLOATS, ids=str)
def test_join_copies_the_bits_of_the_one_that_is_not_zero(builds, dtype):
    x = sample(dtype)
    nothing = np.zeros_like(x)
    for arrays in ([x, nothing], [nothing, x]):
        assert compute(builds["gcc -O2"], BY_NAME["join"], dtype, arrays).tobytes() == x.tobytes()


@pytest.mark.parametrize("dtype", FLOATS, ids=str)
def test_erf_and_erfc_are_scipys_to_the_end_of_the_tail(builds, dtype):
    x = np.concatenate([sample(dtype), np.linspace(-6, 28, 5000).astype(dtype.numpy)])
    for name, truth in (("erf", special.erf), ("erfc", special.erfc)):
        found = compute(builds["gcc -O2"], BY_NAME[name], dtype, [x])
        x_wide = x.astype(np.float64)
        assert ulps(found, BY_NAME[name].numpy(x_wide)) <= (3.6 if dtype is f32 else 4.2)  # that truth is 0.5 ulp off
        np.testing.assert_allclose(found, truth(x_wide), rtol=4e-7 if dtype is f32 else 1e-14, atol=1e-45)


@pytest.mark.parametrize("dtype", FLOATS, ids=str)
def test_sine_and_cosine_of_huge_angles(builds, dtype):
    """Every power of two and its neighbours."""
    x = np.ldexp(1.0, np.arange(0, 127 if dtype is f32 else 1023)).astype(dtype.numpy)
    x = np.concatenate([x, np.nextafter(x, np.float32(np.inf) if dtype is f32 else np.inf), -x])
    sin, cos = (compute(builds["gcc -O2"], BY_NAME[n], dtype, [x]) for n in ("sin", "cos"))
    wide = np.float64 if dtype is f32 else np.longdouble
    assert ulps(sin, np.sin(x.astype(wide))) <= 1.2
    assert ulps(cos, np.cos(x.astype(wide))) <= 1.2
