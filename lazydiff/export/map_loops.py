"""The C function of one form of `map`: a loop nest as one would write it by hand, several elements at a time.

Operations, their order and so every bit are those of the interpreter (c_kernels/src/k_map.h), which runs an instruction
over a block of elements where this runs a program over each. What does not change along a row is read before it.
"""

from __future__ import annotations

import re

from lazydiff.dtypes import bits
from lazydiff.export.map_elements import TOGETHER, step_of
from lazydiff.export.map_forms import HEAD, ROWS, Form
from lazydiff.export.map_four_rows import FourRows


class _Writer(FourRows):
    """Writes one function, line by line."""

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
        if self.outer:
            self.four_rows()
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
    return _Writer(form, step_of(form, most), most).function(name)
