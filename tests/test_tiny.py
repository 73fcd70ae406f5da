"""The two-second test: one network, traced, differentiated, planned, judged, trained in C and in numpy."""

import numpy as np

import lazydiff as ld
from lazydiff.run.reference import Reference


def test_a_network_trains_the_same_in_c_and_in_numpy():
    rng = np.random.default_rng(0)
    x, y = ld.input("x", (8, 4)), ld.input("y", (8,), ld.i32)
    w1, b1 = ld.param("w1", rng.normal(size=(4, 8)).astype(np.float32)), ld.param("b1", np.zeros(8, np.float32))
    w2, b2 = ld.param("w2", rng.normal(size=(8, 3)).astype(np.float32)), ld.param("b2", np.zeros(3, np.float32))
    logits = ld.tanh(x @ w1 + b1) @ w2 + b2
    loss = ld.cross_entropy(logits, y).mean()
    plan = ld.compile(train=ld.train_step(loss, ld.sgd(0.1, momentum=0.9)), infer=ld.argmax(logits), ram="4 KiB")
    session, reference = ld.Session(plan), Reference(plan)
    data = rng.normal(size=(8, 4)).astype(np.float32)
    labels = (data[:, 0] > 0).astype(np.int32)
    losses = []
    for _ in range(40):
        losses.append(session.train(x=data, y=labels))
        expected = reference.run("train", x=data, y=labels)["loss"]
        np.testing.assert_allclose(losses[-1], expected, rtol=1e-5)
    assert losses[-1] < 0.2 * losses[0]
    np.testing.assert_array_equal(session.infer(x=data), labels)
    np.testing.assert_allclose(session.read("w1"), reference.read("w1"), rtol=1e-4, atol=1e-6)
