"""Turns the names of a plan into C macros, and refuses those that C or the exported folder could not keep apart."""

from __future__ import annotations

import json
import re
from collections.abc import Set
from dataclasses import dataclass, field

from lazydiff.errors import ExportError

_IDENTIFIER = re.compile(r"[A-Za-z][A-Za-z0-9_]*\Z")
_KEYWORDS = frozenset(
    """auto break case char const continue default do double else enum extern float for goto if inline int long register
    restrict return short signed sizeof static struct switch typedef union unsigned void volatile while
    alignas alignof and and_eq asm bitand bitor bool catch char16_t char32_t class compl const_cast constexpr decltype
    delete dynamic_cast explicit export false friend mutable namespace new noexcept not not_eq nullptr operator or or_eq
    private protected public reinterpret_cast static_assert static_cast template this thread_local throw true try typeid
    typename using virtual wchar_t xor xor_eq main""".split()  # noqa: SIM905 - words read better
)
# <name>.h must not stand in front of a header that the runtime includes with <...>.
_HEADERS = frozenset(
    """assert complex ctype errno fenv float inttypes iso646 limits locale math setjmp signal stdarg stdbool stddef
    stdint stdio stdlib string tgmath time wchar wctype""".split()  # noqa: SIM905 - words read better
)


def check_name(name: str, taken_files: Set[str]) -> None:
    """Raise ExportError unless `name` can be a C prefix and the stem of two files beside `taken_files`."""
    why = ""
    if not _IDENTIFIER.match(name):
        why = "it is not a C identifier (letters, digits and _, a letter first)"
    elif name in _KEYWORDS:
        why = "it is a word of C or C++"
    elif name.lower() in _HEADERS:
        why = f"a file {name}.h would hide the C library's"
    elif name.lower().startswith(("lzd", "k_", "selftest")) or {f"{name}.c", f"{name}.h"} & taken_files:
        why = "the folder's own files are called so"
    if why:
        raise ExportError(f"name={name!r}: {why}\n  try: name='model'")


def quoted(name: str) -> str:
    """A name for a C comment: in quotes, ASCII, and without anything that would end the comment or open another."""
    return re.sub(r"/(?=\*)|(?<=\*)/", r"\\u002f", json.dumps(name))


@dataclass(slots=True)
class Macros:
    """The macros of one exported header, in order. `prefix` begins each name."""

    prefix: str
    values: dict[str, int] = field(default_factory=dict)
    owners: dict[str, str] = field(default_factory=dict)

    def name(self, *parts: str) -> str:
        """The macro's name: the prefix and the parts, upper case, whatever is no letter or digit becomes `_`."""
        return "_".join((self.prefix, *(re.sub(r"[^A-Za-z0-9]", "_", p) for p in parts))).upper()

    def define(self, owner: str, value: int, *parts: str) -> str:
        """The line that defines a macro. Raises ExportError naming both owners when the name is taken."""
        macro = self.name(*parts)
        if macro in self.owners:
            raise ExportError(
                f"{owner} and {self.owners[macro]} both want the C macro {macro}\n  try: rename one of the two"
            )
        self.values[macro], self.owners[macro] = value, owner
        return f"#define {macro} {value}u\n"
