"""Where the inputs and outputs of a generated map are: at its start, and in each row (map_loops.py writes the rest).

Names: a<k> an input's place, x<k> its element; d<k> an output's place; i<k>, o<k> the number of a bit.
"""

from __future__ import annotations

from lazydiff.dtypes import bits
from lazydiff.export.map_forms import FLAT, HEAD, ONE, ROWS, TILE, Form, Input


class Places:
    """Writes the declarations of one function, line by line."""

    def __init__(self, form: Form) -> None:
        self.form = form
        self.n_in = len(form.inputs)
        self.followed = form.by_rows and form.rank == 2 and not form.windowed
        self.lines: list[str] = []
        self.indent = 1

    def put(self, text: str) -> None:
        """Write a line."""
        self.lines.append("    " * self.indent + text)

    def place(self, number: int, item: Input, element: str, base: str = "") -> None:
        """Declare where the next element of an input is."""
        kind = item.dtype.c_name
        base = base or f"(const {kind} *)p[{number}]"
        if item.dtype is bits:
            self.put(f"const uint8_t *{'const ' if not item.window else ''}a{number} = p[{number}];")
            self.put(f"ptrdiff_t i{number} = {element or '0'};")
        else:
            self.put(f"const {kind} *a{number} = {base}{f' + {element}' if element else ''};")

    def steady(self, number: int, item: Input, element: str, base: str = "") -> None:
        """Read an input that is the same along a row."""
        if item.dtype is bits:
            self.put(f"const bool x{number} = get_bit(p[{number}], {element or '0'});")
        else:
            kind = item.dtype.c_name
            base = base or f"((const {kind} *)p[{number}])"
            self.put(f"const {kind} x{number} = {base}[{element or '0'}];")

    def begin(self) -> None:
        """What stands before the loops: inputs that are one element or go straight on, and outputs."""
        for k, item in enumerate(self.form.inputs):
            offset = f"(ptrdiff_t)v[{self.form.offset_word(k)}]" if item.offset else ""
            if item.reach == ONE:
                self.steady(k, item, offset)
            elif item.reach == FLAT:
                self.place(k, item, f"{offset} + (ptrdiff_t)begin" if offset else "(ptrdiff_t)begin")
            elif item.reach == TILE:
                self.place(k, item, "")
        for k, dtype in enumerate(self.form.outputs):
            at = "" if self.form.tiles or self.form.single else "begin"
            if dtype is bits:
                self.put(f"uint8_t *const d{k} = p[{self.n_in + k}];")
                self.put(f"{'const ' if self.form.single else ''}size_t o{k} = {at or '0'};")
            else:
                add = f" + {at}" if at else ""
                const = "const " if self.form.single else ""
                self.put(f"{dtype.c_name} *{const}d{k} = ({dtype.c_name} *)p[{self.n_in + k}]{add};")

    def follow(self, number: int, item: Input) -> None:
        """Where an input of two dimensions is: row<k>, the number of a row's first element, moves on by by<k> a row."""
        word = self.form.offset_word(number)
        terms = [f"(ptrdiff_t)v[{word}]"] if item.offset else []
        if item.outer[0]:
            self.put(f"const ptrdiff_t by{number} = STRIDE({word + 1});")
            terms.append(f"(ptrdiff_t)row * by{number}")
        if item.dtype is not bits:
            self.put(f"const {item.dtype.c_name} *const base{number} = p[{number}];")
        self.put(f"{'' if item.outer[0] else 'const '}ptrdiff_t row{number} = {' + '.join(terms) or '0'};")
        if item.inner == 2:
            self.put(f"const ptrdiff_t s{number} = STRIDE({word + 2});")

    def followed_row(self, number: int, item: Input) -> None:
        """Find one input of two dimensions in this row."""
        base = "" if item.dtype is bits else f"base{number}"
        at = f"row{number}" + ("", " + (ptrdiff_t)column", f" + (ptrdiff_t)column * s{number}")[item.inner]
        if item.steady:
            self.steady(number, item, at, base)
        else:
            self.place(number, item, at, base)
        if item.outer[0]:
            self.put(f"row{number} += by{number};")

    def indices(self) -> None:
        """The row's index in each dimension that moves something."""
        rank = self.form.rank
        used = [any(i.reach == ROWS and (i.window or i.outer[d]) for i in self.form.inputs) for d in range(rank - 1)]
        if not any(used):
            return
        rest = "row"
        for d in reversed(range(rank - 1)):
            if not any(used[: d + 1]):
                return
            if d == 0:
                self.put(f"const uint32_t at0 = {rest};")
                return
            self.put(f"const uint32_t above{d} = {rest} / v[{HEAD + d}];")
            if used[d]:
                self.put(f"const uint32_t at{d} = {rest} - above{d} * v[{HEAD + d}];")
            rest = f"above{d}"

    def row(self, number: int, item: Input) -> None:
        """Find one input in this row."""
        if self.followed:
            self.followed_row(number, item)
            return
        form, last = self.form, self.form.rank - 1
        word = form.offset_word(number)
        index = [f"at{d}" for d in range(last)] + ["column"]
        terms = [f"(ptrdiff_t)v[{word}]"] if item.offset else []
        if item.window:
            lows = [form.window_word(number, d) for d in range(last + 1)]
            index = [f"({at} - v[{low}])" for at, low in zip(index, lows, strict=True)]
            inside = " && ".join(f"{at} < v[{low + 1}]" for at, low in zip(index, lows, strict=True))
            self.put(f"const bool in{number} = {inside};")
        for d in range(last):
            if item.outer[d]:
                terms.append(f"(ptrdiff_t){index[d]} * STRIDE({word + 1 + d})")
        if item.inner:
            terms.append(f"(ptrdiff_t){index[last]}" + (f" * STRIDE({word + 1 + last})" if item.inner == 2 else ""))
        element = " + ".join(terms)
        if item.steady:
            self.steady(number, item, element)
            return
        if item.window:
            self.put(f"const ptrdiff_t s{number} = in{number} ? STRIDE({word + 1 + last}) : 0;")
            element = f"(in{number} ? {element or '0'} : 0)"
        elif item.inner == 2:
            self.put(f"const ptrdiff_t s{number} = STRIDE({word + 1 + last});")
        self.place(number, item, element)
        if item.window:
            self.put(f"a{number} = in{number} ? a{number} : (const void *)&zero;")
