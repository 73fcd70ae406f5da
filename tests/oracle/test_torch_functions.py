"""Activations against torch: values and derivatives in float64, at the kinks too."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F

import lazydiff as ld

X = np.concatenate([np.linspace(-12, 12, 97), [-1e-9, 1e-9, -300.0, 300.0]])  # with -3, -1, 0, 1, 3 and 6 among them
PAIRS = {
    "softplus": (lambda x: ld.softplus(x, 0.5), lambda x: F.softplus(x, 0.5, 1e9)),
    "log_sigmoid": (ld.log_sigmoid, F.logsigmoid),
    "softsign": (ld.softsign, F.softsign),
    "silu": (ld.silu, F.silu),
    "gelu": (ld.gelu, F.gelu),
    "gelu tanh": (lambda x: ld.gelu(x, "tanh"), lambda x: F.gelu(x, approximate="tanh")),
    "mish": (ld.mish, F.mish),
    "relu6": (ld.relu6, F.relu6),
    "leaky_relu": (lambda x: ld.leaky_relu(x, 0.2), lambda x: F.leaky_relu(x, 0.2)),
    "elu": (lambda x: ld.elu(x, 0.7), lambda x: F.elu(x, 0.7)),
    "celu": (lambda x: ld.celu(x, 0.5), lambda x: F.celu(x, 0.5)),
    "selu": (ld.selu, F.selu),
    "hardtanh": (ld.hardtanh, F.hardtanh),
    "hardsigmoid": (ld.hardsigmoid, F.hardsigmoid),
    "hardswish": (ld.hardswish, F.hardswish),
}


@pytest.mark.parametrize("name", PAIRS)
def test_an_activation_and_its_derivative_are_torchs(name):
    ours, theirs = PAIRS[name]
    x = ld.input("x", X.shape, ld.f64)
    y = ours(x)
    found = ld.Session(ld.compile(f={"y": y, "slope": ld.vjp(y, x)})).run("f", x=X)
    t = torch.tensor(X, requires_grad=True)
    value = theirs(t)
    value.sum().backward()
    np.testing.assert_allclose(found["y"], value.detach(), rtol=1e-12, atol=1e-15)
    close = 1e-7 if name in ("hardsigmoid", "hardswish") else 1e-11  # torch rounds their factors to float32
    np.testing.assert_allclose(found["slope"], t.grad, rtol=close, atol=1e-14)
