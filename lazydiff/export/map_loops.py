"""The C function of one form of `map`: a loop nest as one would write it by hand, several elements at a time.

Operations, their order and so every bit are those of the interpreter (c_kernels/src/k_map.h), which runs an instruction
over a block of elements where this runs a program over each. What does not change along a row is read before it.
"""

from __future__ import annotations

import re

from lazydiff.dtypes import Dtype, bits, f32
from lazydiff.export.map_elements import TAKEN_UP, TOGETHER, is_function, step_of
from lazydiff.export.map_forms import HEAD, ROWS, Form
from lazydiff.export.map_places import Places
from lazydiff.kernels.c_elements import c_type, cast, stored
from lazydiff.kernels.opcodes import LOAD, OPCODES, STORE


class _Writer(Places):
    """Writes one function, line by line."""

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

    def loops(self) -> None:
        """Over n elements of a row."""
        if self.whole:
            self.loop_of_bytes()
            return
        if self.step > 1:
            self.loop(self.step, f"for (uint32_t k = n / {self.step}u; k != 0u; k--) {{")
            self.put(f"n %= {self.step}u;")
        self.loop(1, "for (; n != 0u; n--) {")

    def loop(self, count: int, head: str) -> None:
        self.put(head)
        self.indent += 1
        self.values(0, count, whole=False)
        self.advance(count)
        self.indent -= 1
        self.put("}")

    def loop_of_bytes(self) -> None:
        """Eight elements where each operand of bits is at the start of a byte, else one."""
        inputs = [k for k, i in enumerate(self.form.inputs) if i.dtype is bits and not i.steady]
        outputs = [k for k, dtype in enumerate(self.form.outputs) if dtype is bits]
        at = [f"(size_t)i{k}" for k in inputs] + [f"o{k}" for k in outputs]
        aligned = f"({' | '.join(at)}) % 8u == 0u" if len(at) > 1 else f"{at[0]} % 8u == 0u"
        self.put("while (n != 0u) {")
        self.indent += 1
        self.put(f"if (n >= 8u && {aligned}) {{")
        self.indent += 1
        for k in inputs:
            self.put(f"const uint8_t *bytes{k} = a{k} + (size_t)i{k} / 8u;")
            self.put(f"i{k} += (ptrdiff_t)(n & ~7u);")
        for k in outputs:
            self.put(f"uint8_t *whole{k} = d{k} + o{k} / 8u;")
            self.put(f"o{k} += n & ~7u;")
        self.put("for (uint32_t k = n / 8u; k != 0u; k--) {")
        self.indent += 1
        for k in inputs:
            self.put(f"const uint32_t m{k} = *bytes{k}++;")
        for k in outputs:
            self.put(f"uint32_t w{k} = 0;")
        for first in range(0, 8, TOGETHER):
            self.values(first, TOGETHER, whole=True)
        for k in outputs:
            self.put(f"*whole{k}++ = (uint8_t)w{k};")
        self.advance(8, but=bits)
        self.indent -= 1
        self.put("}")
        self.put("n %= 8u;")
        self.indent -= 1
        self.put("} else {")
        self.indent += 1
        self.values(0, 1, whole=False)
        self.advance(1)
        self.put("n--;")
        self.indent -= 1
        self.put("}")
        self.indent -= 1
        self.put("}")

    def rows(self) -> None:
        """Row after row, or the parts of a row between the borders of windows."""
        form, last = self.form, self.form.rank - 1
        self.put(f"const uint32_t width = v[{HEAD + last}];")
        self.put("uint32_t row = begin / width, column = begin - row * width;")
        for k, item in enumerate(form.inputs):
            if self.followed and item.reach == ROWS:
                self.follow(k, item)
        self.put("for (uint32_t left = end - begin; left != 0u;) {")
        self.indent += 1
        self.put("uint32_t n = width - column < left ? width - column : left;")
        for k, item in enumerate(form.inputs):
            if item.window:
                self.put(f"n = before_border(v + {form.window_word(k, last)}, column, n);")
        if not self.followed:
            self.indices()
        for k, item in enumerate(form.inputs):
            if item.reach == ROWS:
                self.row(k, item)
        self.put("left -= n;")
        if self.followed:
            self.put("column = 0;")
        elif form.windowed:
            self.put("column += n;")
            self.put("if (column == width) {")
            self.put("    column = 0, row++;")
            self.put("}")
        else:
            self.put("column = 0, row++;")
        self.loops()
        self.indent -= 1
        self.put("}")

    def function(self, name: str) -> str:
        """The whole text."""
        self.begin()
        if self.form.single:
            self.values(0, 1, whole=False)
        elif self.form.by_rows:
            self.rows()
        else:
            self.put("uint32_t n = end - begin;")
            self.loops()
        body = "\n".join(self.lines)
        unused = [n for n in ("v", "begin", "end") if not re.search(rf"\b{n}\b", body.replace("STRIDE", "v"))]
        if unused:
            body = f"    {', '.join(f'(void){n}' for n in unused)};\n{body}"
        head = f"static void {name}(void *const *p, const uint32_t *v, uint32_t begin, uint32_t end)"
        return f"{head}\n{{\n{body}\n}}\n"


def function_of(form: Form, name: str, most: int) -> str:
    """The C function `name` of a form whose largest step has `most` elements."""
    return _Writer(form, step_of(form, most)).function(name)
