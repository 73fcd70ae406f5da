"""Recurrent cells against numpy loops with torch's equations, and back-propagation through time."""

import numpy as np
import pytest

import lazydiff as ld
from lazydiff.run.reference import Reference

RNG = np.random.default_rng(8)
N, T, F, H = 2, 5, 3, 4
XS, H0, C0 = RNG.normal(size=(N, T, F)), RNG.normal(size=(N, H)), RNG.normal(size=(N, H))


def weights(gates):
    return {
        "w_ih": RNG.normal(size=(F, gates * H)) / 2,
        "w_hh": RNG.normal(size=(H, gates * H)) / 2,
        "b_ih": RNG.normal(size=gates * H),
        "b_hh": RNG.normal(size=gates * H),
    }


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def rnn(x, h, p):
    return np.tanh(x @ p["w_ih"] + p["b_ih"] + h @ p["w_hh"] + p["b_hh"])


def gru(x, h, p):
    (ir, iz, i_n), (hr, hz, hn) = (
        np.split(a, 3, axis=1) for a in (x @ p["w_ih"] + p["b_ih"], h @ p["w_hh"] + p["b_hh"])
    )
    r, z = sigmoid(ir + hr), sigmoid(iz + hz)
    return (1 - z) * np.tanh(i_n + r * hn) + z * h


def lstm(x, state, p):
    h, c = state
    i, f, g, o = np.split(x @ p["w_ih"] + p["b_ih"] + h @ p["w_hh"] + p["b_hh"], 4, axis=1)
    c = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
    return sigmoid(o) * np.tanh(c), c


# name -> (cell, the same in numpy, gates, first state)
CELLS = {
    "rnn_cell": (ld.rnn_cell, rnn, 1, H0),
    "gru_cell": (ld.gru_cell, gru, 3, H0),
    "lstm_cell": (ld.lstm_cell, lstm, 4, (H0, C0)),
}


def loop(cell, p, state):
    outputs = []
    for k in range(T):
        state = cell(XS[:, k], state, p)
        outputs.append(state[0] if isinstance(state, tuple) else state)
    return np.stack(outputs, 1), state


def constants(state):
    return tuple(map(ld.constant, state)) if isinstance(state, tuple) else ld.constant(state)


@pytest.mark.parametrize("name", CELLS)
def test_an_unrolled_cell_equals_the_loop(name):
    cell, numeric, gates, first = CELLS[name]
    p = weights(gates)
    params = {k: ld.param(k, v) for k, v in p.items()}
    xs = ld.input("xs", XS.shape, ld.f64)
    outputs, last = ld.unroll(lambda x, s: cell(x, s, **params), xs, constants(first))
    expected, end = loop(numeric, p, first)
    finals = dict(enumerate(last)) if isinstance(last, tuple) else {0: last}
    ends = dict(enumerate(end)) if isinstance(end, tuple) else {0: end}
    plan = ld.compile(f={"outputs": outputs} | {f"s{k}": t for k, t in finals.items()})
    for runner in (ld.Session(plan), Reference(plan)):
        found = runner.run("f", xs=XS)
        np.testing.assert_allclose(found["outputs"], expected, rtol=1e-12, atol=1e-13)
        for k, value in ends.items():
            np.testing.assert_allclose(found[f"s{k}"], value, rtol=1e-12, atol=1e-13)


@pytest.mark.parametrize("name", CELLS)
def test_gradients_flow_back_through_time(name):
    cell, numeric, gates, first = CELLS[name]
    p = weights(gates)
    params = {k: ld.param(k, v) for k, v in p.items()}
    outputs, _ = ld.unroll(lambda x, s: cell(x, s, **params), ld.input("xs", XS.shape, ld.f64), constants(first))
    loss = ld.square(outputs[:, -1]).sum()  # only the last step is judged: what came before is reached through time
    found = ld.Session(ld.compile(f=dict(zip(params, ld.grad(loss, list(params.values())), strict=True)))).f(xs=XS)

    def at(name, direction, step):
        return (loop(numeric, p | {name: p[name] + step * direction}, first)[0][:, -1] ** 2).sum()

    for k, gradient in found.items():
        direction = RNG.normal(size=gradient.shape)
        numeric_slope = (at(k, direction, 1e-5) - at(k, direction, -1e-5)) / 2e-5
        np.testing.assert_allclose((gradient * direction).sum(), numeric_slope, rtol=1e-7, atol=1e-8)


def test_a_list_gives_a_list_and_biases_may_be_left_out():
    p = weights(3)
    steps = [ld.input(f"x{k}", (N, F), ld.f64) for k in range(T)]
    w_ih, w_hh = ld.param("w_ih", p["w_ih"]), ld.param("w_hh", p["w_hh"])
    outputs, last = ld.unroll(lambda x, h: ld.gru_cell(x, h, w_ih, w_hh), steps, ld.constant(H0))
    assert outputs[-1] is last
    expected, _ = loop(gru, p | {"b_ih": 0 * p["b_ih"], "b_hh": 0 * p["b_hh"]}, H0)
    found = ld.Session(ld.compile(f=last)).f(**{f"x{k}": np.ascontiguousarray(XS[:, k]) for k in range(T)})
    np.testing.assert_allclose(found, expected[:, -1], rtol=1e-12, atol=1e-13)


def test_an_lstm_learns_to_remember_the_first_of_its_inputs():
    rng = np.random.default_rng(0)
    xs, first = ld.input("xs", (8, 6, 1)), ld.input("first", (8, 1))
    w_ih = ld.param("w_ih", rng.normal(size=(1, 32)).astype(np.float32))
    w_hh = ld.param("w_hh", rng.normal(size=(8, 32)).astype(np.float32) / 3)
    bias = ld.param("b", np.zeros(32, np.float32))
    head = ld.param("head", rng.normal(size=(8, 1)).astype(np.float32) / 3)
    start = ld.constant(np.zeros((8, 8), np.float32))
    _, (h, _) = ld.unroll(lambda x, s: ld.lstm_cell(x, s, w_ih, w_hh, bias), xs, (start, start))
    session = ld.Session(ld.compile(train=ld.train_step(ld.mse(h @ head, first), ld.adam(0.03))))
    losses = []
    for _ in range(300):
        data = rng.uniform(-1, 1, (8, 6, 1)).astype(np.float32)
        losses.append(session.train(xs=data, first=np.ascontiguousarray(data[:, 0])))
    assert np.mean(losses[-20:]) < 0.1 * np.mean(losses[:20])


@pytest.mark.parametrize(
    ("error", "make"),
    [
        (ld.ShapeError, lambda x, h: ld.rnn_cell(x, h, np.ones((F, H + 1)), np.ones((H, H)))),
        (ld.ShapeError, lambda x, h: ld.gru_cell(x, h, np.ones((F, 3 * H)), np.ones((H, 3 * H)), np.ones(H))),
        (
            ld.ShapeError,
            lambda x, h: ld.gru_cell(x, ld.input("three", (3, H)), np.ones((F, 3 * H)), np.ones((H, 3 * H))),
        ),
        (ld.ShapeError, lambda x, h: ld.lstm_cell(x, (h, x), np.ones((F, 4 * H)), np.ones((H, 4 * H)))),
        (ld.ShapeError, lambda x, h: ld.unroll(lambda x, h: h, ld.input("flat", (3,)), h)),
        (ld.GraphError, lambda x, h: ld.unroll(lambda x, h: h, [], h)),
    ],
)
def test_what_makes_no_sense_is_refused(error, make):
    with pytest.raises(error, match=r"test_recurrent\.py"):
        make(ld.input("x", (N, F)), ld.input("h", (N, H)))
