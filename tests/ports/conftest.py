"""What the tests of ports share."""

import pytest

from micropython_runner import Run, run_unix, run_wasm


@pytest.fixture(params=["unix", "wasm"])
def interpreter(request: pytest.FixtureRequest) -> Run:
    """A function that runs a script of this folder in a working folder: see run_unix."""
    return {"unix": run_unix, "wasm": run_wasm}[request.param]
