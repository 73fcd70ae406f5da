"""Four rows at a time of a generated map that adds the product of a column and a row to a matrix, where it is.

What each row reads is read for all four, and moving on to the next row costs a fourth.
"""

from __future__ import annotations

from lazydiff.dtypes import f32
from lazydiff.export.map_elements import FOUR_ROWS
from lazydiff.export.map_forms import FLAT, ROWS, Form
from lazydiff.export.map_values import Values

_ROWS = range(4)


class FourRows(Values):
    """Writes that loop where `outer` says that a small core gains by it: the largest step has `most` elements."""

    def __init__(self, form: Form, step: int, most: int) -> None:
        super().__init__(form, step)
        moving = [k for k, i in enumerate(form.inputs) if not i.steady]
        self.repeated = [k for k in moving if form.inputs[k].reach == ROWS and not any(form.inputs[k].outer)]
        self.flat = [k for k in moving if form.inputs[k].reach == FLAT]
        self.of_row = [k for k, i in enumerate(form.inputs) if i.reach == ROWS and i.steady]
        floats = all(form.inputs[k].dtype == f32 for k in self.of_row)
        one_each = len(self.repeated) == len(self.flat) == len(self.of_row) == len(form.outputs) == 1
        held = {*self.repeated, *self.flat, self.n_in} == set(self.block) and len(moving) == 2
        self.steady_code = self.same_along_a_row()
        self.names: list[dict[int, str]] = [{} for _ in _ROWS]
        self.outer = most >= FOUR_ROWS and self.followed and step == 8 and one_each and held and floats

    def same_along_a_row(self) -> list[int]:
        """The numbers of instructions whose results are the same along a row, each in a slot of its own, no outputs."""
        same = {k for k, i in enumerate(self.form.inputs) if i.steady}
        written = [i.dst for i in self.form.code]
        found = []
        for n, i in enumerate(self.form.code):
            temporary = i.dst >= self.n_in + len(self.form.outputs) and written.count(i.dst) == 1
            if temporary and same.issuperset(i.arguments):
                same.add(i.dst)
                found.append(n)
        return found

    def four_rows(self) -> None:
        """In the loop over rows: if four are left, these, and on.

        Only where the matrix is changed in its place: more than five pointers would not fit a small core's registers.
        """
        (b,), (x,), (w,) = self.repeated, self.of_row, self.flat
        kind = self.form.dtype.c_name
        self.put(f"if (LZD_SMALL && column == 0u && left / 4u >= width && d0 == a{w}) {{")
        self.indent += 1
        self.put(f"const {kind} *of_row = base{x} + row{x};")
        self.put("do {")
        self.indent += 1
        self.put(f"const {kind} *a{b} = base{b} + row{b};")
        for r in _ROWS:
            self.put(f"{kind} *d0_{r} = {f'd0_{r - 1} + width' if r else 'd0'};")
            self.put(f"const {kind} x{x}_{r} = *of_row;")
            self.put(f"of_row += by{x};")
        for r in _ROWS:
            self.names[r] = {k: f"x{k}" for k in range(self.n_in)} | {x: f"x{x}_{r}"}
            for n in self.steady_code:
                self.instruction(self.names[r], n, f"{r}")
        for count, times in ((8, "width / 8u"), (2, "width % 8u / 2u")):
            self.put(f"for (uint32_t k = {times}; k != 0u; k--) {{")
            self.some(count)
            self.put("}")
        self.put("if (width % 2u != 0u) {")
        self.one()
        self.put("}")
        self.put("d0 = d0_3, left -= 4u * width;")
        self.indent -= 1
        self.put("} while (left / 4u >= width);")
        self.put(f"a{w} = d0, row{x} = of_row - base{x};")
        self.put("continue;")
        self.indent -= 1
        self.put("}")

    def some(self, count: int) -> None:
        """The next two or eight elements of each row."""
        (b,), (w,) = self.repeated, self.flat
        self.indent += 1
        self.put(f"TAKE_{count}{self.block[b]}(a{b}, {', '.join(f'x{b}_{q}' for q in range(count))});")
        for r in _ROWS:
            self.put(f"LOOK_{count}{self.block[w]}(d0_{r}, {', '.join(f'x{w}_{r}_{q}' for q in range(count))});")
            results = [self.result(r, q) for q in range(count)]
            self.put(f"PUT_{count}{self.block[self.n_in]}(d0_{r}, {', '.join(results)});")
        self.indent -= 1

    def one(self) -> None:
        """The last element of each row: all read, then all written, since a load waits for the store before it."""
        (b,), (w,) = self.repeated, self.flat
        kind = self.form.dtype.c_name
        self.indent += 1
        self.put(f"const {kind} x{b}_0 = *a{b};")
        for r in _ROWS:
            self.put(f"const {kind} x{w}_{r}_0 = *d0_{r};")
        results = [self.result(r, 0) for r in _ROWS]
        for r in _ROWS:
            self.put(f"*d0_{r}++ = {results[r]};")
        self.indent -= 1

    def result(self, r: int, q: int) -> str:
        """The q-th element of row r."""
        (b,), (w,) = self.repeated, self.flat
        names = self.names[r] | {b: f"x{b}_{q}", w: f"x{w}_{r}_{q}"}
        for n in range(len(self.form.code)):
            if n not in self.steady_code:
                self.instruction(names, n, f"{r}_{q}")
        return names[self.n_in]
