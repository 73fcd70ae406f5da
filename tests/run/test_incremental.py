"""An incremental entry reruns only what a change reaches, and gives what a full run gives, bit for bit."""

import random

import numpy as np
import pytest

import lazydiff as ld
from lazydiff.graph.walk import topological
from lazydiff.plan.segments import incremental_entries, kept_states

SHAPES = {"a": (3, 4), "b": (4,), "c": (3, 1)}


def _pose_net():
    """A costly part of the image, a cheap one of the pose, and a head that sees both."""
    rng = np.random.default_rng(0)
    image, pose = ld.input("image", (1, 8, 8, 2)), ld.input("pose", (1, 3))
    conv = ld.param("conv", rng.normal(size=(3, 3, 2, 4)).astype(np.float32))
    w = ld.param("w", np.ones((3, 5), np.float32))
    v, u = (ld.param(n, rng.normal(size=(rows, 2)).astype(np.float32)) for n, rows in (("v", 4), ("u", 5)))
    features = ld.relu(ld.conv2d(image, conv, padding=1)).mean((1, 2))
    head = ld.tanh(features @ v + (pose @ w) @ u)
    data = {"image": rng.normal(size=image.shape).astype(np.float32), "pose": np.ones((1, 3), np.float32)}
    return head, data


def _bits(outputs):
    values = outputs if isinstance(outputs, dict) else {"": outputs}
    return {name: np.asarray(v, np.float32).tobytes() for name, v in values.items()}


def test_only_the_segments_of_a_changed_input_run():
    head, data = _pose_net()
    session = ld.Session(ld.compile(infer=ld.incremental(head)))
    assert session.entries == ("infer",)
    infer = session.entry("infer")
    assert len(infer.due()) == 3, "at first everything is due"
    first = session.infer(**data)
    assert infer.due() == infer.due(["pose"])[1:] == ("infer.2",), "the last segment keeps no output"
    ran = {name: session.entry(name).runs for name in ("infer.0", "infer.1", "infer.2")}
    second = session.infer(pose=2 * data["pose"])
    now = {name: session.entry(name).runs - n for name, n in ran.items()}
    assert sorted(now.values()) == [0, 1, 1]
    whole = ld.Session(ld.compile(infer=head))
    assert _bits(first) == _bits(whole.infer(**data))
    assert _bits(second) == _bits(whole.infer(image=data["image"], pose=2 * data["pose"]))


def test_an_explicit_change_reads_the_other_inputs_only_where_they_are_needed():
    head, data = _pose_net()
    loss = ld.mean(ld.square(head))
    session = ld.Session(ld.compile(infer=ld.incremental(head), train=ld.train_step(loss, ld.sgd(0.1))))
    session.infer(**data)
    ran = session.entry("infer.0").runs + session.entry("infer.1").runs
    session.run("infer", changed={"pose"}, **data)
    assert session.entry("infer.0").runs + session.entry("infer.1").runs == ran + 1
    session.train(**data)  # now the image's segment must run too: its kernel was trained
    session.run("infer", changed={"pose"}, **data)
    assert session.entry("infer.0").runs + session.entry("infer.1").runs == ran + 3
    with pytest.raises(ld.InputError, match="changed names 'image'"):
        session.run("infer", changed={"image"}, pose=data["pose"])


def test_a_missing_input_is_refused_before_anything_runs():
    head, data = _pose_net()
    loss = ld.mean(ld.square(head))
    session = ld.Session(ld.compile(infer=ld.incremental(head), train=ld.train_step(loss, ld.sgd(0.1))))
    with pytest.raises(ld.InputError, match="missing 'image': nothing is kept of it yet"):
        session.infer(pose=data["pose"])
    with pytest.raises(ld.InputError, match="unknown 'pse'"):
        session.infer(pse=data["pose"])
    assert session.entry("infer.0").runs == 0
    session.infer(**data)
    session.train(**data)
    with pytest.raises(ld.InputError, match=r"missing 'image': 'conv', 'v' has changed since.*keep=\['image'\]"):
        session.infer(pose=data["pose"])
    session.infer(**data)
    session.reset()
    with pytest.raises(ld.InputError, match="nothing is kept of it yet"):
        session.infer(pose=data["pose"])
    with pytest.raises(ld.InputError, match="does not repeat"):
        session.repeat("infer", 2, **data)


def test_a_kept_input_need_not_be_given_again_after_training():
    head, data = _pose_net()
    train = ld.train_step(ld.mean(ld.square(head)), ld.sgd(0.1))
    session = ld.Session(ld.compile(infer=ld.incremental(head, keep=["image", "pose"]), train=train))
    whole = ld.Session(ld.compile(infer=head, train=train))
    session.infer(**data)
    for s in (session, whole):
        s.train(**data)
    assert _bits(session.infer()) == _bits(whole.infer(**data))
    session.write("conv", np.zeros((3, 3, 2, 4), np.float32))
    whole.write("conv", np.zeros((3, 3, 2, 4), np.float32))
    assert _bits(session.infer(pose=data["pose"])) == _bits(whole.infer(**data))


def test_inputs_of_a_group_are_given_together():
    x, y, z = (ld.input(n, (4,)) for n in "xyz")
    plan = ld.compile(infer=ld.incremental(ld.sum(ld.exp(x * y) * ld.exp(z)), groups=[["x", "y"]]))
    assert len(incremental_entries(plan)["infer"]) == 3
    session = ld.Session(plan)
    ones = np.ones(4, np.float32)
    session.infer(x=ones, y=ones, z=ones)
    with pytest.raises(ld.InputError, match="missing 'y': it changes together with 'x'"):
        session.infer(x=ones)
    session.infer(x=ones, y=ones)


def test_wrong_groups_are_refused():
    x = ld.input("x", (4,))
    for options, why in (
        ({"groups": [["x", "q"]]}, "no inputs"),
        ({"groups": [["x"], ["x"]]}, "two groups"),
        ({"keep": ["q"]}, "no inputs"),
        ({"groups": ["x"]}, "lists of names"),
    ):
        with pytest.raises(ld.GraphError, match=why):
            ld.compile(infer=ld.incremental(x + 1, **options))
    with pytest.raises(ld.GraphError, match="segment"):
        ld.compile(**{"infer.1": x + 1})


def test_labels_are_checked_before_any_segment_runs():
    x, label = ld.input("x", (2, 3)), ld.input("label", (2,), ld.i32)
    scale = ld.input("scale", ())
    loss = ld.cross_entropy(ld.tanh(x), label)
    session = ld.Session(ld.compile(infer=ld.incremental(loss * scale)))
    data = {"x": np.ones((2, 3), np.float32), "label": np.array([0, 2], np.int32), "scale": 1.0}
    session.infer(**data)
    runs = [session.entry(f"infer.{i}").runs for i in range(4)]
    with pytest.raises(ld.InputError, match=r"infer: input 'label' holds 3 at \[1\]"):
        session.infer(x=data["x"], label=np.array([0, 3], np.int32))
    assert runs == [session.entry(f"infer.{i}").runs for i in range(4)]
    with pytest.raises(ld.InputError, match=r"infer: input 'label' holds 3"):
        session.infer(label=np.array([0, 3], np.int32))


def test_outputs_that_are_inputs_parameters_or_numbers():
    x, y, p = ld.input("x", (2,)), ld.input("y", (2,)), ld.param("p", np.array([1.0, 2.0], np.float32))
    outputs = {
        "x": x,
        "y2": y.reshape(2, 1),
        "p": p,
        "exp": ld.exp(p),
        "zero": ld.zeros_like(p),
        "both": x + y,
        "x1": x,
    }
    step = ld.train_step(ld.sum(p * x), ld.sgd(1.0))
    session = ld.Session(ld.compile(f=ld.incremental(outputs), train=step))
    whole = ld.Session(ld.compile(f=outputs, train=step))
    x1, y1, y2 = np.float32([1, 2]), np.float32([3, 4]), np.float32([5, 6])
    assert _bits(session.f(x=x1, y=y1)) == _bits(whole.f(x=x1, y=y1))
    assert _bits(session.f(y=y2)) == _bits(whole.f(x=x1, y=y2))
    for s in (session, whole):
        s.train(x=x1)
    assert _bits(session.f()) == _bits(whole.f(x=x1, y=y2))
    out = {s.name: np.empty(s.shape, np.float32) for s in session.entry("f").outputs}
    assert session.f(x=y1, out=out) is out
    assert _bits(out) == _bits(whole.f(x=y1, y=y2))


def test_kept_states_are_the_entrys_own():
    head, data = _pose_net()
    plan = ld.compile(infer=ld.incremental(head))
    session = ld.Session(plan)
    session.infer(**data)
    kept = kept_states(plan)
    assert kept
    assert set(kept.values()) == {"infer"}
    assert set(session.state()) == {"conv", "w", "v", "u"}
    name = next(iter(kept))
    assert session.read(name).any()
    with pytest.raises(ld.InputError, match="is kept for entry 'infer'"):
        session.write(name, session.read(name))
    for line in (line for line in str(plan).splitlines() if line.startswith("kept for infer")):
        assert name in line
        break
    else:
        pytest.fail("print(plan) does not name what is kept")


def test_views_of_parameters_are_not_kept():
    x, p = ld.input("x", (4,)), ld.param("p", np.arange(10, dtype=np.float32))
    plan = ld.compile(f=ld.incremental(x * p[2:6] + ld.broadcast_to(p[:1], (4,)) @ p[6:].reshape(4, 1)))
    assert [s.name for s in plan.state] == ["f.matmul", "p"], "of p only a product is kept"
    values = ld.Session(plan).f(x=np.ones(4, np.float32))
    np.testing.assert_array_equal(values, np.arange(2, 6, dtype=np.float32))


def test_a_saved_plan_stays_incremental(tmp_path):
    head, data = _pose_net()
    plan = ld.compile(infer=ld.incremental(head))
    plan.save(str(tmp_path / "m.lzp"))
    session = ld.Session(tmp_path / "m.lzp")
    assert _bits(session.infer(**data)) == _bits(ld.Session(plan).infer(**data))
    assert len(session.entry("infer").due(["pose"])) == 2


# Each takes any earlier node, one of shape (3, 4), and the inputs and parameters.
NODES = [
    lambda x, y, a, b, c, p: ld.tanh(x),
    lambda x, y, a, b, c, p: x * 0.5,
    lambda x, y, a, b, c, p: ld.where(x > 0, x, 0.25 * x),
    lambda x, y, a, b, c, p: x + y,
    lambda x, y, a, b, c, p: ld.broadcast_to(ld.sum(y, 0, True), (3, 4)),
    lambda x, y, a, b, c, p: ld.where(a > y, b, c),
    lambda x, y, a, b, c, p: ld.sum(y, 1) @ a + b,
    lambda x, y, a, b, c, p: y @ p,
    lambda x, y, a, b, c, p: y * c + b,
    lambda x, y, a, b, c, p: y.T.reshape(y.shape),
    lambda x, y, a, b, c, p: ld.exp(p) @ b,
]


def _random_graph(rng):
    """Up to 16 nodes over three inputs and two parameters."""
    data = np.random.default_rng(rng.randrange(10**6))
    a, b, c = (ld.input(n, s) for n, s in SHAPES.items())
    p, q = (ld.param(n, data.normal(size=s).astype(np.float32)) for n, s in (("p", (4, 4)), ("q", (3, 4))))
    pool = [a, b, c, p, q]
    for _ in range(rng.randint(3, 16)):
        y = rng.choice([t for t in pool if t.shape == (3, 4)])
        x = rng.choice([t for t in pool if t.shape in ((3, 4), (4,), (3, 1), ())])
        pool.append(rng.choice(NODES)(x, y, a, b, c, p))
    return pool


@pytest.mark.parametrize("seed", range(40))
def test_random_changes_equal_full_runs(seed):
    rng = random.Random(seed)
    pool = _random_graph(rng)
    outputs = {f"o{i}": t for i, t in enumerate(rng.sample(pool[5:], min(3, len(pool) - 5)))}
    used = [n for n in SHAPES if any(n == t.name for t in _leaves(outputs.values()))]
    loss = ld.sum(ld.tanh(pool[-1])) + ld.sum(pool[3]) + ld.sum(pool[4])
    step = ld.train_step(loss, ld.sgd(0.05, momentum=0.5))
    groups = [rng.sample(used, 2)] if len(used) > 1 and rng.random() < 0.3 else []
    keep = rng.sample(used, rng.randint(0, len(used)))
    session = ld.Session(ld.compile(f=ld.incremental(outputs, groups, keep), train=step))
    whole = ld.Session(ld.compile(f=outputs, train=step))
    draw = np.random.default_rng(seed)
    now = {n: draw.normal(size=SHAPES[n]).astype(np.float32) for n in used}
    assert _bits(session.f(**now)) == _bits(whole.f(**now))
    for _ in range(8):
        if rng.random() < 0.3:
            inputs = {s.name: draw.normal(size=s.shape).astype(np.float32) for s in whole.entry("train").inputs}
            for s in (session, whole):
                s.train(**inputs)
        elif rng.random() < 0.2:
            value = draw.normal(size=(4, 4)).astype(np.float32)
            for s in (session, whole):
                s.write("p", value)
        given = set(rng.sample(used, rng.randint(0, len(used))))
        given |= {n for g in groups for n in g if given & set(g) and n not in keep}
        now |= {n: draw.normal(size=SHAPES[n]).astype(np.float32) for n in given}
        expected = _bits(whole.f(**now))
        try:
            found = session.f(**{n: now[n] for n in given})
        except ld.InputError:  # a parameter acts on an input that is not kept
            found = session.run("f", changed=given, **now)
        assert _bits(found) == expected


def _leaves(tensors):
    return [t for t in topological(tensors) if t.op.name == "input"]
