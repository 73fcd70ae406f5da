"""Runs the calls that case.json lists on m.lzp and prints outputs: `out step name hex`, a number as a double."""

import binascii
import json
import struct
from array import array

import lazydiff as ld


def show(step, name, value):
    if isinstance(value, (float, int)):
        value = struct.pack("<d", value)
    print("out", step, name, str(binascii.hexlify(bytes(memoryview(value))), "ascii"))


def values(name, code):
    with open(name + ".bin", "rb") as file:
        return array(code, file.read())


def main():
    with open("case.json") as file:
        case = json.load(file)
    session = ld.Session("m.lzp")
    for call in case["calls"]:
        data = {name: values(name, code) for name, (code, _) in call["inputs"].items()}
        for step in range(call["steps"]):
            inputs = {}
            for name, (_, count) in call["inputs"].items():
                inputs[name] = data[name][step * count : (step + 1) * count]
            got = session.run(call["entry"], **inputs)
            if not isinstance(got, dict):
                got = {call["output"]: got}
            for name in call["show"]:
                show(step, name, got[name])
    for name in case["read"]:
        show("end", name, session.read(name))


main()
