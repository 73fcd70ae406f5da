"""Computes a tensor at once, for a notebook or a test: compiles its graph the first time, then runs what it kept."""

from __future__ import annotations

import hashlib
import threading
import weakref
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from lazydiff.errors import InputError
from lazydiff.graph.node import Tensor
from lazydiff.graph.walk import topological
from lazydiff.passes.simplify import simplify
from lazydiff.passes.substitute import freed, substitute
from lazydiff.pipeline import compile as compile_plan
from lazydiff.run.arrays import names_error
from lazydiff.run.session import Session

KEPT_GRAPHS = 32  # compiled graphs, the least recently used go first


@dataclass(frozen=True, slots=True)
class _Compiled:
    """A graph's session. `inputs` and `parameters` pair what the user calls an array with the leaf that takes it."""

    session: Session
    inputs: dict[str, Tensor]
    parameters: dict[str, Tensor]


_by_graph: OrderedDict[bytes, _Compiled] = OrderedDict()
_by_node: weakref.WeakKeyDictionary[Tensor, dict[frozenset[str], bytes]] = weakref.WeakKeyDictionary()
_lock = threading.Lock()


def numpy(tensor: Tensor, inputs: Mapping[str, object], params: Mapping[str, object]) -> np.ndarray:
    """The tensor's value as a fresh array of its shape and dtype; see Tensor.numpy."""
    with _lock:
        compiled = _compiled(tensor, frozenset(params))
        if set(inputs) != set(compiled.inputs):
            raise names_error("numpy", list(compiled.inputs), list(inputs))
        arrays = {leaf.name: _array(f"input {name!r}", inputs[name], leaf) for name, leaf in compiled.inputs.items()}
        for name, leaf in compiled.parameters.items():
            arrays[leaf.name] = _array(f"parameter {name!r}", params[name], leaf)
        return compiled.session.arrays("value", **arrays)["value"]


def _compiled(tensor: Tensor, replaced: frozenset[str]) -> _Compiled:
    """The session of a graph in which these parameters are inputs: kept for an equal graph, else made."""
    known = _by_node.setdefault(tensor, {})
    key = known.get(replaced)
    if key is None:
        key = known[replaced] = graph_hash(tensor, replaced)
    if key not in _by_graph:
        _by_graph[key] = _compile(tensor, replaced)
        if len(_by_graph) > KEPT_GRAPHS:
            _by_graph.popitem(last=False)
    _by_graph.move_to_end(key)
    return _by_graph[key]


def _compile(tensor: Tensor, replaced: frozenset[str]) -> _Compiled:
    leaves = {n.name: n for n in topological([tensor]) if n.op.name in ("param", "state")}
    if unknown := sorted(replaced - set(leaves)):
        raise InputError(f"numpy: params names {unknown}, but the tensor depends on {', '.join(leaves) or 'none'}")
    old = {name: leaves[name] for name in sorted(replaced)}
    new = {name: freed(leaf) for name, leaf in old.items()}
    (root,) = substitute([tensor], list(old.values()), list(new.values()))
    plan = compile_plan(value=root)
    symbols = [s.name for s in plan.entry("value").inputs]
    inputs = {n.name: n for n in topological([root]) if n.op.name == "input" and n.name in symbols}
    own = {leaf.name for leaf in new.values()}
    return _Compiled(
        Session(plan),
        {name: n for name, n in inputs.items() if name not in own},
        {name: leaf for name, leaf in new.items() if leaf.name in inputs},
    )


def graph_hash(tensor: Tensor, replaced: frozenset[str] = frozenset()) -> bytes:
    """A digest of all that decides a tensor's value: ops, attributes, shapes, dtypes, names and stored data.

    Equal for equal expressions, wherever they were written. `replaced` are parameters whose data does not matter.
    """
    (root,) = simplify([tensor])  # so that a rule for derivatives, which is a Python object, is gone
    digest = hashlib.sha256(repr(sorted(replaced)).encode())
    number: dict[int, int] = {}
    for node in topological([root]):
        inputs = [number[id(i)] for i in node.inputs]
        number[id(node)] = len(number)
        digest.update(f"{node.op.name} {inputs} {node.attrs} {node.dtype} {node.shape};".encode())
        if node.data is not None and node.name not in replaced:
            digest.update(node.data.tobytes())
    return digest.digest()


def _array(what: str, value: object, leaf: Tensor) -> np.ndarray:
    """A contiguous array of the leaf's dtype from whatever numpy understands, if no value is lost that way."""
    given, dtype = np.asarray(value), leaf.dtype.numpy
    if not np.can_cast(given.dtype, dtype, "same_kind"):
        raise InputError(f"numpy: {what} is {given.dtype}, not {leaf.dtype}\n  try: .astype(np.{dtype.name})")
    array = np.ascontiguousarray(given, dtype).reshape(given.shape)
    if dtype.kind in "iu" and not np.array_equal(array, given):
        raise InputError(f"numpy: {what} holds numbers that {leaf.dtype} does not\n  try: a wider dtype")
    if array.shape != leaf.shape:
        raise InputError(f"numpy: {what} has shape {array.shape}, not {leaf.shape}")
    return array
