"""Boards by PlatformIO's names -> the bytes of RAM that a plan may have there, for `compile(ram="pico")`.

A board with several memories also has their names: `compile(ram="teensy41:dtcm+ocram")`.
"""

from __future__ import annotations

_KIB = 1024
_MIB = 1024**2

# Board: RAM in one piece, and what is left out of it for the stack, the C library, an operating system and its buffers.
# A budget in bytes is better as soon as the rest of a firmware is known: its linker map says what it takes.
_RAM: dict[str, tuple[int, int]] = {
    "bluepill_f103c8": (20 * _KIB, 4 * _KIB),
    "disco_f746ng": (320 * _KIB, 16 * _KIB),
    "esp32": (160 * _KIB, 32 * _KIB),  # the largest static piece of its 320 KiB
    "esp32s3": (320 * _KIB, 96 * _KIB),
    "mkrzero": (32 * _KIB, 6 * _KIB),
    "nano33ble": (256 * _KIB, 64 * _KIB),  # Mbed OS
    "nucleo_f401re": (96 * _KIB, 8 * _KIB),
    "nucleo_f446re": (128 * _KIB, 8 * _KIB),
    "nucleo_h743zi": (512 * _KIB, 16 * _KIB),  # AXI SRAM
    "openmv_h7": (512 * _KIB, 256 * _KIB),  # MicroPython's heap and the frame buffer
    "pi_zero2": (512 * _MIB, 256 * _MIB),
    "pico": (256 * _KIB, 16 * _KIB),  # the four striped banks
    "pico2": (512 * _KIB, 16 * _KIB),
    "teensy41": (512 * _KIB, 64 * _KIB),  # tightly coupled memory, which the code shares
    "zero": (32 * _KIB, 6 * _KIB),
}

BOARDS: dict[str, int] = {name: whole - left_out for name, (whole, left_out) in _RAM.items()}

# The regions that a maker's linker script keeps apart, the fastest first, less what is left out of each: the stack, the
# C library, the code that shares tightly coupled memory.
REGIONS: dict[str, dict[str, int]] = {
    "disco_f746ng": {"dtcm": 64 * _KIB, "sram": (240 + 16 - 16) * _KIB},
    "nucleo_h743zi": {"dtcm": 128 * _KIB, "axi": (512 - 16) * _KIB, "sram": (128 + 128 + 32) * _KIB},  # SRAM1 to SRAM3
    "teensy41": {"dtcm": (512 - 64) * _KIB, "ocram": (512 - 64) * _KIB},  # malloc and DMA buffers lie in OCRAM
}
