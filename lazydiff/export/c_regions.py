"""A plan's blocks of RAM as C: one array, or one for each region with a section that the linker script can place."""

from __future__ import annotations

import re

from lazydiff.export.c_names import Macros
from lazydiff.plan.model import Plan, RamRegion


def size_macros(plan: Plan, macros: Macros) -> str:
    """The lines that define how many bytes the RAM has: all of it, and each region that has a name."""
    lines = macros.define("the size of the RAM", plan.ram_bytes, "RAM_BYTES")
    for r in plan.named:
        lines += macros.define(f"the size of region {r.name!r}", r.used_bytes, "RAM", r.name, "BYTES")
        macros.owners[macros.name("RAM", r.name, "SECTION")] = f"the section of region {r.name!r}"
    return lines


def ram_parts(plan: Plan, macros: Macros, name: str) -> dict[str, str]:
    """What the templates want to know of the RAM, by placeholder."""
    if not plan.named:
        return {
            "blocks": "one block",
            "ram_declared": f"extern uint8_t {name}_ram[{macros.name('RAM_BYTES')}];\n",
            "ram_opens_in": f"{name}_ram",
            "ram_checks": "",
            "ram_defined": f"LZD_ALIGNED uint8_t {name}_ram[{macros.name('RAM_BYTES')}];\n",
            "open": f"    return lzd_open(model, {name}_plan, sizeof {name}_plan, {name}_ram, sizeof {name}_ram);\n",
            "ram_rows": f"| RAM (`{name}_ram`), everything in it | {plan.ram_bytes} |\n",
            "placing": "",
        }
    used = [r for r in plan.named if r.used_bytes]
    blocks = "".join(f"        {_block(r, name)},\n" for r in plan.named)
    open_call = f"lzd_open_regions(model, {name}_plan, sizeof {name}_plan, blocks, {len(plan.named)}u)"
    return {
        "blocks": f"{len(plan.named)} blocks" if len(plan.named) > 1 else "one block",
        "ram_declared": "".join(f"extern uint8_t {_array(r, name)}[{_bytes(r, macros)}];\n" for r in used),
        "ram_opens_in": " and ".join(_array(r, name) for r in used),
        "ram_checks": "".join(_check(r, macros, name) for r in used),
        "ram_defined": _SECTIONS + "".join(_defined(r, macros, name) for r in used),
        "open": f"    const lzd_block blocks[] = {{\n{blocks}    }};\n    return {open_call};\n",
        "ram_rows": f"| RAM, everything in it | {plan.ram_bytes} |\n"
        + "".join(f"| of it in `{r.name}` (`{_array(r, name)}`), of {r.size_bytes} | {r.used_bytes} |\n" for r in used),
        "placing": _placing(used, macros, name),
    }


def only_array(plan: Plan, name: str) -> str | None:
    """The name of the array that is all the plan's RAM, or None where there are several."""
    if not plan.named:
        return f"{name}_ram"
    return _array(plan.named[0], name) if len(plan.named) == 1 else None


_SECTIONS = """/* A section of its own for each region of RAM, for linker scripts: *(.bss.<array>) before *(.bss*).
 * Define the macro for another section. Nothing in them needs to be cleared at the start. */
"""


def _array(region: RamRegion, name: str) -> str:
    return f"{name}_ram_{re.sub('[^A-Za-z0-9]', '_', region.name)}"


def _bytes(region: RamRegion, macros: Macros) -> str:
    return macros.name("RAM", region.name, "BYTES")


def _block(region: RamRegion, name: str) -> str:
    array = _array(region, name)
    return f"{{{array}, sizeof {array}}}" if region.used_bytes else "{NULL, 0u}"


def _check(region: RamRegion, macros: Macros, name: str) -> str:
    check = f"{_array(region, name)}_is_what_the_planner_said"
    return f"typedef char {check}[{_bytes(region, macros)} == {region.used_bytes}u ? 1 : -1];\n"


def _defined(region: RamRegion, macros: Macros, name: str) -> str:
    array, section = _array(region, name), macros.name("RAM", region.name, "SECTION")
    return (
        f"#ifndef {section}\n"
        "#if defined(__GNUC__) && defined(__ELF__)\n"
        f'#define {section} __attribute__((section(".bss.{array}")))\n'
        "#else\n"
        f"#define {section}\n"
        "#endif\n"
        "#endif\n"
        f"LZD_ALIGNED {section} uint8_t {array}[{_bytes(region, macros)}];\n"
    )


def _placing(used: list[RamRegion], macros: Macros, name: str) -> str:
    lines = "".join(f"        .{r.name} (NOLOAD) : {{ *(.bss.{_array(r, name)}) }} > {r.name.upper()}\n" for r in used)
    first = macros.name("RAM", used[0].name, "SECTION")
    return f"""
## Where the regions lie
Each region is an array with a section of its own. In your linker script, in front of the line with `*(.bss*)`, with the
names of your memories:

{lines}
or in a section that your script has: `-D'{first}=__attribute__((section(".fast")))'`. Nothing has to be in them
before `{name}_open`.
"""
