"""Prints what a Session holds, what a step allocates, and what it leaves behind: bytes of the MicroPython heap."""

import gc
import json
from array import array

import lazydiff as ld


def values(name, code, count):
    with open(name + ".bin", "rb") as file:
        return array(code, file.read())[:count]


def main():
    with open("case.json") as file:
        call = json.load(file)["calls"][0]
    inputs = {name: values(name, code, count) for name, (code, count) in call["inputs"].items()}
    gc.collect()
    start = gc.mem_alloc()
    session = ld.Session("m.lzp")
    gc.collect()
    print("said", "held", gc.mem_alloc() - start)
    run = getattr(session, call["entry"])
    run(**inputs)
    gc.collect()
    gc.disable()
    start = gc.mem_alloc()
    run(**inputs)
    print("said", "allocated", gc.mem_alloc() - start)
    gc.enable()
    gc.collect()
    start = gc.mem_alloc()
    for _ in range(5):
        run(**inputs)
    gc.collect()
    print("said", "left", gc.mem_alloc() - start)


main()
