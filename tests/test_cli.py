"""The command `lazydiff` does what its help says, and explains a bad file in one line."""

import json
import xml.etree.ElementTree as ET

import numpy as np
import pytest

import lazydiff as ld
from lazydiff.cli import main


@pytest.fixture(scope="module")
def plan():
    x, y = ld.input("x", (2, 4)), ld.input("y", (2,), ld.i32)
    logits = x @ ld.param("w", np.ones((4, 3), np.float32))
    loss = ld.cross_entropy(logits, y).mean()
    return ld.compile(train=ld.train_step(loss, ld.sgd(0.1)), infer=logits)


@pytest.fixture
def file(plan, tmp_path):
    plan.save(str(tmp_path / "m.lzp"))
    return str(tmp_path / "m.lzp")


def test_show_prints_the_table_and_a_map_of_each_entry(file, capsys):
    assert main(["show", file]) == 0
    out = capsys.readouterr().out
    assert out.startswith(str(ld.load(file)))
    assert "\ntrain: steps 1 to " in out
    assert "\ninfer: steps 1 to " in out


def test_show_json_is_the_plan(plan, file, capsys):
    assert main(["show", file, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["ram_bytes"] == plan.ram_bytes


def test_show_svg_writes_the_map(file, tmp_path, capsys):
    svg = tmp_path / "m.svg"
    assert main(["show", file, "--svg", str(svg)]) == 0
    assert ET.fromstring(svg.read_text()).tag.endswith("svg")
    assert str(svg) in capsys.readouterr().out


def test_check_says_sound(plan, file, capsys):
    assert main(["check", file]) == 0
    assert f"sound; {plan.ram_bytes} bytes of RAM, entries train, infer" in capsys.readouterr().out


def test_export_writes_a_folder_under_the_name(file, tmp_path, capsys):
    assert main(["export", file, str(tmp_path / "out"), "--name", "mine"]) == 0
    assert (tmp_path / "out" / "mine.h").exists()
    assert "self-test" in capsys.readouterr().out


@pytest.mark.parametrize("command", ["show", "check"])
def test_a_changed_byte_is_one_line_of_error(command, file, capsys):
    with open(file, "r+b") as changed:
        changed.seek(40)
        byte = changed.read(1)[0]
        changed.seek(40)
        changed.write(bytes([byte ^ 1]))
    assert main([command, file]) == 1
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith("lazydiff: ")
    assert "Traceback" not in captured.err


def test_a_missing_file_is_an_error_with_its_name(capsys, tmp_path):
    assert main(["show", str(tmp_path / "none.lzp")]) == 1
    assert "none.lzp" in capsys.readouterr().err


def test_doctor_finds_the_extension(capsys):
    assert main(["doctor"]) == 0
    assert "C extension: ok" in capsys.readouterr().out
