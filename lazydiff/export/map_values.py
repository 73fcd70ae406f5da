"""The values of some elements of a generated map: loaded, computed and stored together, in C.

Names as in map_places.py, and y<n>_<element> for the result of the n-th instruction.
"""

from __future__ import annotations

import re

from lazydiff.dtypes import Dtype, bits, f32
from lazydiff.export.map_elements import TAKEN_UP, TOGETHER, is_function
from lazydiff.export.map_forms import Form
from lazydiff.export.map_places import Places
from lazydiff.kernels.c_elements import c_type, cast, stored
from lazydiff.kernels.opcodes import LOAD, OPCODES, STORE


class Values(Places):
    """Writes what is done with elements, `step` of them in a round."""

    def __init__(self, form: Form, step: int) -> None:
        super().__init__(form)
        self.step = step
        self.whole = form.whole_bytes and step > 1
        self.together = TOGETHER if self.whole else step
        self.block = self.registers() if step > 1 and form.dtype == f32 else {}

    def registers(self) -> dict[int, str]:
        """By slot, what is loaded or stored a block at a time, and in which registers (k_four.h): A, B or C.

        What takes up an argument's registers, as an fma does its last one's, is stored from there.
        """
        straight = [k for k, i in enumerate(self.form.inputs) if i.dtype == f32 and not (i.steady or i.window)]
        found = dict(zip((k for k in straight if self.form.inputs[k].inner != 2), "ABC", strict=False))
        free = [letter for letter in "CBA" if letter not in found.values()]
        for i in self.form.code:
            if i.dst >= self.n_in and i.dst < self.n_in + len(self.form.outputs) and self.dtype_of(i.dst) == f32:
                taken = TAKEN_UP.get(OPCODES[i.opcode].name)
                summed = None if taken is None else found.get(i.arguments[taken])
                if summed or free:
                    found[i.dst] = summed or free.pop()
        return found

    def element(self, number: int, q: int) -> str:
        """The expression of an input's q-th element from where it is."""
        item = self.form.inputs[number]
        if item.steady:
            return f"x{number}"
        far = f"{q} * s{number}" if q and (item.inner == 2 or item.window) else f"{q}"
        return f"get_bit(a{number}, i{number} + {far})" if item.dtype is bits else f"a{number}[{far}]"

    def values(self, first: int, count: int, whole: bool) -> None:
        """Elements first .. first + count - 1: all loaded, then all computed, then all stored."""
        names: list[dict[int, str]] = [{} for _ in range(count)]
        block = self.block if count == self.together else {}
        for k, item in enumerate(self.form.inputs):
            if k in block:
                listed = [f"x{k}_{first + q}" for q in range(count)]
                self.put(f"TAKE_{count}{block[k]}(a{k}, {', '.join(listed)});")
                for q in range(count):
                    names[q][k] = listed[q]
                continue
            for q in range(count):
                names[q][k] = f"x{k}"
                if not item.steady:
                    names[q][k] = f"x{k}_{first + q}"
                    bit = f"(m{k} & {1 << first + q}u) != 0u"
                    value = bit if whole and item.dtype is bits else self.element(k, first + q)
                    self.put(f"const {c_type(item.dtype)} {names[q][k]} = {value};")
        for q in range(count):
            for n in range(len(self.form.code)):
                self.instruction(names[q], n, f"{first + q}")
        for k, dtype in enumerate(self.form.outputs):
            if self.n_in + k in block:
                listed = [names[q][self.n_in + k] for q in range(count)]
                self.put(f"PUT_{count}{block[self.n_in + k]}(d{k}, {', '.join(listed)});")
                continue
            for q in range(count):
                value = names[q][self.n_in + k]
                if dtype is bits and whole:
                    self.put(f"w{k} |= (uint32_t){value} << {first + q};")
                elif dtype is bits:
                    self.put(f"set_bit(d{k}, o{k}{f' + {first + q}u' if first + q else ''}, {value});")
                else:
                    self.put(f"d{k}[{first + q}] = {value};")

    def instruction(self, names: dict[int, str], n: int, end: str) -> None:
        """One instruction: a name of its own for its result."""
        i = self.form.code[n]
        code, name = OPCODES[i.opcode], f"y{n}_{end}"
        arguments = [names[a] for a in i.arguments]
        kind = "T"
        if code is LOAD:
            text = cast(arguments[0], self.form.inputs[i.a].dtype)
        elif code is STORE:
            target = self.form.outputs[i.dst - self.n_in]
            kind, text = c_type(target), stored(arguments[0], target)
            if self.dtype_of(i.a) != self.form.dtype:  # of one dtype: as it is
                text = arguments[0]
        elif is_function(code):
            text = f"op_{code.name}({', '.join(arguments)})"
        else:
            given = dict(zip("abc", arguments, strict=False))
            text = re.sub(r"\b[abc]\b", lambda m: given[m[0]], code.c)
        self.put(f"const {kind} {name} = {text};")
        names[i.dst] = name

    def dtype_of(self, slot: int) -> Dtype:
        """The dtype of what a slot holds."""
        if slot < self.n_in:
            return self.form.inputs[slot].dtype
        return self.form.outputs[slot - self.n_in] if slot < self.n_in + len(self.form.outputs) else self.form.dtype

    def advance(self, count: int, but: Dtype | None = None) -> None:
        """Move every place on by so many elements, those of one dtype left out."""
        block = self.block if count > 1 else {}
        for k, item in enumerate(self.form.inputs):
            if not item.steady and k not in block and item.dtype is not but:
                by = f"{count}" if item.inner != 2 and not item.window else f"{count} * s{k}" if count > 1 else f"s{k}"
                self.put(f"{'i' if item.dtype is bits else 'a'}{k} += {by};")
        for k, dtype in enumerate(self.form.outputs):
            if self.n_in + k in block or dtype is but:
                continue
            self.put(f"{'o' if dtype is bits else 'd'}{k} += {count}{'u' if dtype is bits else ''};")
