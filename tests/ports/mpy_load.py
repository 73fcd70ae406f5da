"""Opens each plan that case.json names; prints `said file error-class message`, or `said file opened`."""

import json

import lazydiff as ld

with open("case.json") as file:
    NAMES = json.load(file)
for name in NAMES:
    try:
        ld.Session(name)
        print("said", name, "opened")
    except ld.LazydiffError as error:
        print("said", name, type(error).__name__, error)
