"""Gives a port bad plans and bad inputs; prints what it said, one line each: `case error-class message`."""

import binascii
import gc
import json
import struct
from array import array

import lazydiff as ld


def said(case, act):
    try:
        act()
    except ld.LazydiffError as error:
        print("said", case, type(error).__name__, error)
    else:
        print("said", case, "nothing")


def recount(data):
    struct.pack_into("<I", data, 16, binascii.crc32(bytes(data[20:]), binascii.crc32(bytes(data[:16]))))


def flips(plan, mend, case):
    """Flip every byte in turn; with `mend` the checksum is made right again. Only LazydiffError may come out."""
    refused = ran = 0
    for at in range(len(plan)):
        data = bytearray(plan)
        data[at] ^= 0x55
        if mend:
            recount(data)
        try:
            session = ld.Session(data) if mend else ld.load(data)
            for name, inputs in zip(session.entries, (case["train"], case["infer"])):  # noqa: B905 - MicroPython has no strict=
                session.run(name, **inputs)
            ran += 1
        except ld.LazydiffError:
            refused += 1
    print("said", "mended" if mend else "flipped", "refused", refused, "ran", ran, "of", len(plan))


def main():
    with open("m.lzp", "rb") as file:
        plan = file.read()
    with open("case.json") as file:
        case = json.load(file)
    x, y = case["train"]["x"], case["train"]["y"]
    for cut in (0, 3, 11, 50, 111, 112, len(plan) // 2, len(plan) - 1):
        with open("cut.lzp", "wb") as file:
            file.write(plan[:cut])
        said(f"cut{cut}", lambda cut=cut: ld.load(plan[:cut]))
        said(f"file{cut}", lambda: ld.load("cut.lzp"))
    said("longer", lambda: ld.load(plan + bytes(8)))
    for name, at, value in (("magic", 0, 1), ("version", 4, 3), ("table", 6, 999), ("order", 8, 0x04030201)):
        data = bytearray(plan)
        struct.pack_into("<H" if name == "table" else "<I", data, at, value)
        recount(data)
        said(name, lambda data=data: ld.Session(data))
    for name, at, value in case.get("words", ()):
        data = bytearray(plan)
        struct.pack_into("<I", data, at, value)
        recount(data)
        said(name, lambda data=data: ld.Session(data))
    swapped = bytearray()
    for word in range(0, len(plan), 4):
        swapped += bytes(reversed(plan[word : word + 4]))
    said("foreign", lambda: ld.Session(swapped))
    flips(plan, False, case)
    gc.collect()
    flips(plan, True, case)

    session = ld.Session("m.lzp")
    before = list(session.read("w"))
    bad = list(x)
    bad[2] = float("nan")
    high = list(y)
    high[1] = 10
    low = array("i", y)
    low[0] = -1
    said("nan", lambda: session.train(x=bad, y=y))
    said("nan_array", lambda: session.train(x=array("f", bad), y=y))
    said("high", lambda: session.train(x=x, y=high))
    said("low", lambda: session.train(x=x, y=low))
    said("short", lambda: session.train(x=x[:-1], y=y))
    said("nested", lambda: session.train(x=[x[:3], x[:2]], y=y))
    said("scalar", lambda: session.train(x=1.0, y=y))
    said("text", lambda: session.train(x="abcdef", y=y))
    said("float_label", lambda: session.train(x=x, y=[0.5] * len(y)))
    said("missing", lambda: session.train(x=x))
    said("unknown", lambda: session.train(x=x, y=y, z=y))
    said("entry", lambda: session.run("tune", x=x))
    said("parameter", lambda: session.read("v"))
    said("write_short", lambda: session.write("w", [1.0]))
    said("write_text", lambda: session.write("w", [1.0, 2.0, "a", 4.0, 5.0, 6.0]))
    print("said", "untouched", before == list(session.read("w")))
    session.train(x=x, y=y)
    print("said", "touched", before != list(session.read("w")))


main()
