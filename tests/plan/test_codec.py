"""Plans as bytes and as JSON: there and back, the same everywhere, and refused with a reason when broken."""

import os
import struct
import subprocess
import sys

import pytest

import lazydiff as ld
from lazydiff.examples import digits
from lazydiff.plan.as_json import from_json, to_json
from lazydiff.plan.codec import checksum, decode, encode
from small import classifier, convolution


@pytest.fixture(scope="module")
def blob():
    return encode(classifier())


@pytest.mark.parametrize("make", [classifier, convolution, digits.build])
def test_there_and_back(make):
    plan = make()
    assert decode(encode(plan)) == plan
    assert from_json(to_json(plan)) == plan
    bare = decode(encode(plan, debug=False))
    assert from_json(to_json(bare)) == bare
    assert encode(bare, debug=False) == encode(plan, debug=False)
    assert len(encode(plan, debug=False)) < len(encode(plan))


def test_the_same_bytes_in_every_process():
    program = "import sys; from lazydiff.examples import digits; sys.stdout.buffer.write(digits.build().to_bytes())"
    found = set()
    for seed in ("0", "1", "77"):
        env = {**os.environ, "PYTHONHASHSEED": seed}
        found.add(subprocess.run([sys.executable, "-c", program], env=env, capture_output=True, check=True).stdout)
    assert found == {digits.build().to_bytes()}


def with_word(blob, index, value, mend_crc=True):
    changed = bytearray(blob)
    struct.pack_into("<I", changed, 4 * index, value)
    if mend_crc:
        struct.pack_into("<I", changed, 16, checksum(changed))
    return bytes(changed)


# What the Python side says, what C says, and how to break a plan so.
BROKEN = [
    ("not a lazydiff plan", "not a lazydiff plan", lambda b: with_word(b, 0, 0x12345678)),
    ("format 3", "another format version", lambda b: with_word(b, 1, 3 | 1 << 16)),
    ("regions of RAM", "out of range", lambda b: with_word(b, 1, 2 | 1 << 16)),
    ("kernel table 99", "newer kernel table", lambda b: with_word(b, 1, 1 | 99 << 16)),
    ("foreign byte order", "other byte order", lambda b: with_word(b, 2, 0x04030201)),
    ("truncated", "not as long as it says", lambda b: b[:-8]),
    ("padded", "not as long as it says", lambda b: b + bytes(8)),
    ("too few", "truncated", lambda b: b[:40]),
    ("CRC", "CRC", lambda b: b[:-9] + bytes([b[-9] ^ 1]) + b[-8:]),
    ("not inside the file", "out of range", lambda b: with_word(b, 8, 0xFFFFFFF8)),
    ("magic", "not a lazydiff plan", lambda b: b"not a plan at all".ljust(200, b"\0")),
]


@pytest.mark.parametrize(("python", "c", "damage"), BROKEN, ids=[row[0] for row in BROKEN])
def test_a_broken_plan_is_refused_with_the_reason_by_python_and_by_c(blob, python, c, damage):
    broken = damage(blob)
    with pytest.raises(ld.PlanError, match=python):
        ld.load(broken)
    with pytest.raises(ld.PlanError, match=c):
        ld.Session(broken)


def test_the_whole_file_swapped_is_called_foreign(blob):
    swapped = b"".join(blob[i : i + 4][::-1] for i in range(0, len(blob), 4))
    with pytest.raises(ld.PlanError, match="foreign byte order"):
        ld.load(swapped)
    with pytest.raises(ld.PlanError, match="byte order"):
        ld.Session(swapped)


def test_every_truncation_is_refused(blob):
    for end in range(0, len(blob), 8):
        with pytest.raises(ld.PlanError, match="truncated"):
            ld.load(blob[:end])
        with pytest.raises(ld.PlanError, match="truncated"):
            ld.Session(blob[:end])


def test_a_broken_file_is_refused_by_its_path(blob, tmp_path):
    (tmp_path / "p.lzp").write_bytes(blob[:-8])
    with pytest.raises(ld.PlanError, match="truncated"):
        ld.load(str(tmp_path / "p.lzp"))
    with pytest.raises(ld.PlanError, match=r"p\.lzp"):
        ld.Session(tmp_path / "p.lzp")


def test_the_debug_section_is_no_part_of_the_meaning(blob):
    """Any debug bytes under a right CRC load: a plan without labels, never an error."""
    at = struct.unpack_from("<I", blob, 4 * 27)[0]
    bare = decode(encode(classifier(), debug=False))
    for junk in (b"\xff", b"[", b"9"):
        changed = bytearray(blob[: at + 4] + (junk * len(blob))[: len(blob) - at - 4])
        struct.pack_into("<I", changed, 16, checksum(changed))
        assert ld.load(bytes(changed)) == bare
        ld.Session(bytes(changed))


def test_load_reads_a_saved_file(tmp_path):
    plan = classifier()
    plan.save(str(tmp_path / "p.lzp"))
    assert ld.load(str(tmp_path / "p.lzp")) == plan


def test_json_that_is_no_plan_is_refused():
    for text in ("", "{}", "[1]", "[" * 100_000, to_json(classifier()).replace('"format": 1', '"format": 3')):
        with pytest.raises(ld.PlanError):
            from_json(text)
