"""Each byte of a small plan flipped in turn, loaded and run under AddressSanitizer and UBSan: refused, or harmless."""

import subprocess
from pathlib import Path

import pytest

from lazydiff.plan.codec import encode
from small import convolution
from tools_needed import require

ROOT = Path(__file__).resolve().parents[2]


def flip_every_byte(folder, check_crc):
    plan = encode(convolution(), debug=False)
    (folder / "plan.lzp").write_bytes(plan)
    command = [require("gcc"), "-std=gnu99", "-O1", "-g", "-fsanitize=address,undefined", "-fno-sanitize-recover=all"]
    command += [f"-DLZD_CHECK_CRC={check_crc}", "-DLZD_KERNEL=", "-ffp-contract=off", "-fno-math-errno"]
    command += [f"-I{ROOT}/c_kernels/include", str(ROOT / "tests/plan/flip.c")]
    command += [*map(str, sorted((ROOT / "c_kernels/src").glob("*.c"))), "-lm", "-o", str(folder / "flip")]
    subprocess.run(command, check=True)
    done = subprocess.run([folder / "flip", folder / "plan.lzp"], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]
    refused, opened = map(int, done.stdout.split())
    assert refused + opened == 3 * len(plan)
    return refused, opened


@pytest.fixture(scope="module")
def without_crc(tmp_path_factory):
    return flip_every_byte(tmp_path_factory.mktemp("flip"), 0)


def test_no_flipped_byte_does_harm_where_the_crc_is_off(without_crc):
    refused, opened = without_crc
    assert refused > opened > 0  # weights may be any number; structure may not


def test_the_crc_catches_every_flipped_byte(tmp_path):
    refused, opened = flip_every_byte(tmp_path, 1)
    assert opened == 0
    assert refused > 0
