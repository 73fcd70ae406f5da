"""Each byte of a small plan flipped in turn, loaded and run under AddressSanitizer and UBSan: refused, or harmless."""

import struct
import subprocess
from pathlib import Path

import pytest

import lazydiff as ld
from lazydiff.plan.codec import checksum, encode
from regions import halves
from small import convolution, lookups
from tools_needed import require

SMALL = {"convolution": convolution, "lookups": lookups, "regions": lambda: halves(convolution(), 3)}
ROOT = Path(__file__).resolve().parents[2]


def flipper(folder, check_crc):
    """The program that flips the bytes of a plan, with the checksum checked or not."""
    command = [require("gcc"), "-std=gnu99", "-O1", "-g", "-fsanitize=address,undefined", "-fno-sanitize-recover=all"]
    command += [f"-DLZD_CHECK_CRC={check_crc}", "-ffp-contract=off", "-fno-math-errno"]
    command += [f"-I{ROOT}/c_kernels/include", str(ROOT / "tests/plan/flip.c")]
    command += [*map(str, sorted((ROOT / "c_kernels/src").glob("*.c"))), "-lm", "-o", str(folder / "flip")]
    subprocess.run(command, check=True)
    return folder / "flip"


def flip_every_byte(program, plan):
    """How many of the changed plans were refused and how many opened, all without harm."""
    data = encode(plan, debug=False)
    (program.parent / "plan.lzp").write_bytes(data)
    done = subprocess.run([program, program.parent / "plan.lzp"], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]
    refused, opened = map(int, done.stdout.split())
    assert refused + opened == 3 * len(data)
    return refused, opened


@pytest.fixture(scope="module")
def without_crc(tmp_path_factory):
    return flipper(tmp_path_factory.mktemp("flip"), 0)


@pytest.mark.parametrize("small", SMALL.values(), ids=SMALL)
def test_no_flipped_byte_does_harm_where_the_crc_is_off(without_crc, small):
    refused, opened = flip_every_byte(without_crc, small())
    assert refused > opened > 0  # weights and indices may be any number; structure may not


def test_the_crc_catches_every_flipped_byte(tmp_path):
    refused, opened = flip_every_byte(flipper(tmp_path, 1), convolution())
    assert opened == 0
    assert refused > 0


def accepts(load, plan):
    try:
        load(plan)
    except ld.PlanError:
        return False
    return True


@pytest.mark.parametrize("small", SMALL.values(), ids=SMALL)
def test_python_and_c_judge_every_flipped_byte_alike(small):
    """The two checkers share no code; with the CRC mended only the rules are left to tell a broken plan."""
    plan = encode(small(), debug=False)
    verdicts = []
    for at in range(24, len(plan)):  # from behind the CRC and the size of the RAM, which C would have to take
        changed = bytearray(plan)
        changed[at] ^= (0x01, 0x80, 0xFF)[at % 3]
        struct.pack_into("<I", changed, 16, checksum(changed))
        broken = bytes(changed)
        python = accepts(ld.load, broken)
        assert python == accepts(ld.Session, broken), f"byte {at}: Python {'accepts' if python else 'refuses'} it"
        verdicts.append(python)
    assert 0 < sum(verdicts) < len(verdicts) / 2


def test_a_name_that_is_not_utf_8_is_refused_in_c_too():
    plan = bytearray(encode(convolution()))
    plan[struct.unpack_from("<I", plan, 4 * 21)[0]] = 0xFF
    struct.pack_into("<I", plan, 16, checksum(plan))
    for load in (ld.load, ld.Session):
        with pytest.raises(ld.PlanError, match=r"utf-8|UTF-8"):
            load(bytes(plan))
