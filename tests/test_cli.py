"""The command `lazydiff` does what its help says, and explains a bad file in one line."""

import json
import re
import subprocess
import sys
import xml.etree.ElementTree as ET

import numpy as np
import pytest

import lazydiff as ld
from lazydiff.cli import main
from lazydiff.plan.as_csv import to_csv
from lazydiff.plan.as_json import to_json
from lazydiff.plan.as_trace import to_trace
from lazydiff.plan.memory_map import memory_map, memory_map_svg
from lazydiff.terminal import say


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


@pytest.mark.parametrize(
    ("form", "make"), [("csv", to_csv), ("trace", to_trace), ("json", to_json), ("svg", memory_map_svg)]
)
def test_show_writes_each_form_to_a_file_or_the_screen(form, make, plan, file, tmp_path, capsys):
    path = tmp_path / f"out.{form}"
    assert main(["show", file, f"--{form}", str(path)]) == 0
    assert capsys.readouterr().out == f"wrote {path}\n"
    assert path.read_text() == make(ld.load(file))
    assert main(["show", file, f"--{form}", "-"]) == 0
    assert capsys.readouterr().out.rstrip("\n") == make(ld.load(file)).rstrip("\n")


def test_show_writes_several_forms_at_once(file, tmp_path, capsys):
    assert main(["show", file, "--csv", str(tmp_path / "a"), "--trace", str(tmp_path / "b")]) == 0
    assert capsys.readouterr().out.count("wrote ") == 2
    assert (tmp_path / "a").exists()
    assert (tmp_path / "b").exists()


def test_a_folder_that_is_not_there_is_one_line_of_error(file, tmp_path, capsys):
    assert main(["show", file, "--csv", str(tmp_path / "none" / "a.csv")]) == 1
    assert capsys.readouterr().err.startswith("lazydiff: ")


def test_colours_change_no_character(plan, capsys):
    """The map's signs are coloured by kind; the table, the legend and what is plain stay as they are."""
    text = f"{plan}\n\n{memory_map(plan, 'train')}"
    say(text, colours=True)
    painted = capsys.readouterr().out
    assert re.sub(r"\x1b\[[0-9;]*m", "", painted) == text + "\n"
    assert "\x1b[2m#" in painted
    assert "\x1b[32ma" in painted
    lines = [line for line in painted.splitlines() if "\x1b" in line]
    assert all("|" in line for line in lines)
    say(text)
    assert capsys.readouterr().out == text + "\n"


def test_without_rich_text_is_plain(monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "rich.console", None)
    say("       64 |aa|bb|", colours=True)
    assert capsys.readouterr().out == "       64 |aa|bb|\n"


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


def test_a_reader_that_has_seen_enough_ends_it_in_silence(file):
    """As in `lazydiff show m.lzp --json | head -1`."""
    command = [sys.executable, "-m", "lazydiff.cli", "show", file, "--json"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        process.stdout.close()
        said = process.stderr.read()
    assert (process.returncode, said) == (0, b"")
