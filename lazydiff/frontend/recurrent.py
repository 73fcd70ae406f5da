"""Recurrent cells, one step of time each, and `unroll`, which applies one along a sequence.

Weights lie as (inputs, gates * hidden): x @ w, torch's transposed. Back-propagation through time is what ld.grad makes
of an unrolled graph: the states of all steps live until then.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar, cast, overload

from lazydiff.errors import GraphError, ShapeError
from lazydiff.graph.node import Operand, Tensor, user_line
from lazydiff.ops import elementwise as e
from lazydiff.ops.parts import split, unstack
from lazydiff.ops.products import matmul
from lazydiff.ops.rearrange import stack

State = TypeVar("State", bound="Tensor | tuple[Tensor, ...]")


def _affine(what: str, x: Tensor, w: Operand, bias: Operand | None, hidden: int, gates: int) -> Tensor:
    """x @ w + bias for all gates, checked."""
    weight = e.together(x, w)[1]
    wanted = (x.shape[-1], gates * hidden)
    if weight.shape != wanted:
        raise ShapeError(f"{user_line()}: {what}: a weight for {x.shape} is {wanted}, not {weight.shape}")
    if bias is None:
        return matmul(x, weight)
    shift = e.together(x, bias)[1]
    if shift.shape != wanted[1:]:
        raise ShapeError(f"{user_line()}: {what}: a bias is {wanted[1:]}, not {shift.shape}")
    return matmul(x, weight) + shift


def _check(what: str, x: Tensor, *states: Tensor) -> None:
    for h in states:
        if x.ndim < 1 or h.ndim != x.ndim or h.shape[:-1] != x.shape[:-1] or h.shape != states[0].shape:
            raise ShapeError(
                f"{user_line()}: {what} of x {x.shape} takes a state {(*x.shape[:-1], '.')}, not {h.shape}"
            )


def rnn_cell(
    x: Tensor,
    h: Tensor,
    w_ih: Operand,
    w_hh: Operand,
    b_ih: Operand | None = None,
    b_hh: Operand | None = None,
    activation: Callable[[Tensor], Tensor] = e.tanh,
) -> Tensor:
    """The next hidden state (n, hidden): activation(x w_ih + b_ih + h w_hh + b_hh), torch's RNNCell.

    x is (n, inputs), h (n, hidden), w_ih (inputs, hidden), w_hh (hidden, hidden), biases (hidden,).
    """
    _check("rnn_cell", x, h)
    size = h.shape[-1]
    return activation(_affine("rnn_cell", x, w_ih, b_ih, size, 1) + _affine("rnn_cell", h, w_hh, b_hh, size, 1))


def gru_cell(
    x: Tensor, h: Tensor, w_ih: Operand, w_hh: Operand, b_ih: Operand | None = None, b_hh: Operand | None = None
) -> Tensor:
    """The next hidden state (n, hidden) of a gated recurrent unit, torch's GRUCell.

    w_ih (inputs, 3 hidden), w_hh (hidden, 3 hidden) and the biases (3 hidden,) hold the gates in the order r, z, n:
    with i = x w_ih + b_ih and j = h w_hh + b_hh, r = sigmoid(i_r + j_r), z = sigmoid(i_z + j_z), n = tanh(i_n + r j_n)
    and h' = (1 - z) n + z h.
    """
    _check("gru_cell", x, h)
    size = h.shape[-1]
    i_r, i_z, i_n = split(_affine("gru_cell", x, w_ih, b_ih, size, 3), 3, -1)
    j_r, j_z, j_n = split(_affine("gru_cell", h, w_hh, b_hh, size, 3), 3, -1)
    n = e.tanh(e.fma(e.sigmoid(i_r + j_r), j_n, i_n))
    return e.fma(e.sigmoid(i_z + j_z), h - n, n)


def lstm_cell(
    x: Tensor,
    state: tuple[Tensor, Tensor],
    w_ih: Operand,
    w_hh: Operand,
    b_ih: Operand | None = None,
    b_hh: Operand | None = None,
) -> tuple[Tensor, Tensor]:
    """The next (h, c), each (n, hidden), of a long short-term memory, torch's LSTMCell.

    w_ih (inputs, 4 hidden), w_hh (hidden, 4 hidden) and the biases (4 hidden,) hold the gates in the order i, f, g, o:
    c' = sigmoid(f) c + sigmoid(i) tanh(g) and h' = sigmoid(o) tanh(c').
    """
    h, c = state
    _check("lstm_cell", x, h, c)
    size = h.shape[-1]
    gates = _affine("lstm_cell", x, w_ih, b_ih, size, 4) + _affine("lstm_cell", h, w_hh, b_hh, size, 4)
    i, f, g, o = split(gates, 4, -1)
    memory = e.fma(e.sigmoid(f), c, e.sigmoid(i) * e.tanh(g))
    return e.sigmoid(o) * e.tanh(memory), memory


@overload
def unroll(cell: Callable[[Tensor, State], State], xs: Tensor, state: State) -> tuple[Tensor, State]: ...
@overload
def unroll(
    cell: Callable[[Tensor, State], State], xs: Sequence[Tensor], state: State
) -> tuple[list[Tensor], State]: ...
def unroll(
    cell: Callable[[Tensor, State], State], xs: Tensor | Sequence[Tensor], state: State
) -> tuple[Tensor | list[Tensor], State]:
    """(outputs, last state) of state = cell(x, state) for each x of a sequence.

    `xs` is (n, t, features), of which x is xs[:, k], and the outputs are (n, t, hidden); or it is a list of tensors
    (n, features) and the outputs are a list. An output is the new state, its first where there are several (h of an
    lstm_cell's). `cell` binds the weights: lambda x, h: ld.gru_cell(x, h, w_ih, w_hh). The graph grows with t; outputs
    that are not used cost nothing.
    """
    if isinstance(xs, Tensor) and xs.ndim < 2:
        raise ShapeError(f"{user_line()}: unroll takes xs (n, t, features), not {xs.shape}")
    steps = unstack(xs, 1) if isinstance(xs, Tensor) else list(xs)
    if not steps:
        raise GraphError(f"{user_line()}: unroll of an empty sequence")
    outputs: list[Tensor] = []
    for x in steps:
        state = cell(x, state)
        outputs.append(state[0] if isinstance(state, tuple) else cast(Tensor, state))
    return (stack(outputs, 1) if isinstance(xs, Tensor) else outputs), state
