"""Reads a .lzp plan: header, sections, buffers, symbols and entries, each checked against plan/SPEC.md."""

import struct
import sys
from array import array

from .errors import PlanError
from .table import TABLE_VERSION

NONE = 0xFFFFFFFF
ITEMSIZE = (0, 4, 8, 4, 1, 1, 1, 1)  # by dtype: 1 f32, 2 f64, 3 i32, 4 u8, 5 i8, 6 bool, 7 bits (of eight elements)
_HEADER = 112
_RAM = (0, 3, 4, 5)  # the regions of RAM as buffers have them; 1 is the plan's constants, 2 zeros
_SECTIONS = (  # (header word, bytes a record, name)
    (8, 12, "buffers"),
    (10, 32, "symbols"),
    (13, 40, "entries"),
    (15, 8, "updates"),
    (17, 4, "dims"),
    (19, 4, "steps"),
    (21, 1, "strings"),
    (23, 1, "consts"),
    (25, 1, "init"),
)


def _nibble_crc32(data, crc=0):
    """CRC-32 as zlib's, four bits at a time."""
    table = []
    for n in range(16):
        for _ in range(4):
            n = n >> 1 ^ (0xEDB88320 if n & 1 else 0)
        table.append(n)
    crc ^= NONE
    for byte in data:
        crc ^= byte
        crc = crc >> 4 ^ table[crc & 15]
        crc = crc >> 4 ^ table[crc & 15]
    return crc ^ NONE


try:
    from binascii import crc32
except ImportError:  # some builds leave it out
    crc32 = _nibble_crc32


def load(source):
    """The plan of a .lzp file's path or bytes. Raises PlanError; OSError if there is no such file."""
    plan = Plan(source)
    plan.read_records()
    return plan


def need(truth, where, what):
    """Raise PlanError unless `truth`."""
    if not truth:
        raise PlanError("%s: %s" % (where, what))


def _words(data, at, count):
    return struct.unpack_from("<%dI" % count, data, at)


def _sizes(head):
    """(total bytes, start of the debug section or 0) of a header."""
    need(len(head) >= 12, "header", "the file ends inside it")
    magic, versions, order = _words(head, 0, 3)
    need(order != 0x04030201, "header", "foreign byte order")
    need(magic == 0x1A505A4C, "header", "not a lazydiff plan")
    need(sys.byteorder == "little" and order == 0x01020304, "header", "foreign byte order")
    need(versions & 0xFFFF in (1, 2), "header", "format version %d; this port reads 1 and 2" % (versions & 0xFFFF))
    newest = versions >> 16
    need(newest <= TABLE_VERSION, "header", "kernel table %d; this port has %d" % (newest, TABLE_VERSION))
    need(len(head) >= _HEADER, "header", "the file ends inside it")
    total, debug = _words(head, 12, 1)[0], _words(head, 108, 1)[0]
    need(total >= _HEADER and total % 8 == 0, "header", "total_bytes is %d" % total)
    need(total < 0x40000000, "header", "the plan says that it has %d bytes" % total)
    need(debug == 0 or _HEADER <= debug < total, "header", "the debug section lies outside the file")
    return total, debug


class Plan:
    """A plan whose records have been checked; its steps are checked where they are decoded (Session).

    source: the path of a .lzp file, or its bytes. Of a file only the tables are kept (`data`): constants and first
    values are read when a Session asks for them, and the debug section is for people.
    `ram_bytes` is the RAM the plan takes on a C runtime, `regions` the (name, bytes) of each region of it. `entries` maps a name to an entry's record, `names` lists them in
    the plan's order.
    """

    def __init__(self, source):
        self._source = source
        head = self.read(0, _HEADER)
        total, debug = _sizes(head)
        length, crc = self._checksum()
        need(length == total, "file", "%d bytes, the header says %d" % (length, total))
        need(crc == _words(head, 16, 1)[0], "file", "wrong checksum: its bytes have changed")
        tables = _words(head, 92, 1)[0]  # they end where the constants begin
        need(_HEADER <= tables <= (debug or total), "section consts", "begins at %d" % tables)
        self.data = data = self.read(0, tables)
        self.ram_bytes, self.align, self.executor_bytes = _words(data, 20, 3)
        need(self.align in (8, 16), "header", "align is %d" % self.align)
        need(self.executor_bytes <= self.ram_bytes < 0x40000000, "header", "ram_bytes is %d" % self.ram_bytes)
        self.sections = {}
        table, last = self._region_table()
        executor = 24 + 8 * (len(table) or 1)
        need(self.executor_bytes == executor, "header", "executor_bytes is %d" % self.executor_bytes)
        for word, unit, name in _SECTIONS:
            at, count = _words(data, 4 * word, 2)
            need(at % 8 == 0 and at >= last, "section " + name, "begins at %d" % at)
            last = at + unit * count
            need(last <= (debug or total), "section " + name, "ends outside the file")
            self.sections[name] = at, count
        at, size = self.sections["strings"]
        need(not size or data[at + size - 1] == 0, "section strings", "does not end with 0")
        self.regions = [(self._name(name, "region"), used) for name, used in table] or [("ram", self.ram_bytes)]
        self.buffers = [self._buffer(k) for k in range(self.sections["buffers"][1])]
        self.entries = None
        self.names = ()

    def _region_table(self):
        """[(name, bytes used)] of the regions of RAM that a plan of format 2 names, and where the first section may begin."""
        if _words(self.data, 4, 1)[0] & 0xFFFF == 1:
            return [], _HEADER
        where = "regions"
        need(len(self.data) >= _HEADER + 4, where, "the file ends inside their table")
        count = _words(self.data, _HEADER, 1)[0]
        need(1 <= count <= len(_RAM), where, "%d of them" % count)
        end = _HEADER + 4 + 12 * count
        need(len(self.data) >= end, where, "the file ends inside their table")
        table = []
        for k in range(count):
            name, size, used = _words(self.data, _HEADER + 4 + 12 * k, 3)
            need(used <= size, where, "%d of %d bytes used" % (used, size))
            table.append((name, used))
        need(sum([used for _, used in table]) == self.ram_bytes, where, "not as many bytes together as the plan says")
        need(table[0][1] >= self.executor_bytes, where, "the first one does not hold the executor")
        return table, end

    def in_ram(self, k):
        """True if buffer k lies in a region of RAM."""
        return self.buffers[k][0] in _RAM

    def read_records(self):
        """The rest of the checks; apart, because a Session takes its block of RAM before the heap fills with records."""
        if self.entries is not None:
            return
        self.symbols = [self._symbol(k) for k in range(self.sections["symbols"][1])]
        n_state = _words(self.data, 48, 1)[0]
        need(n_state <= len(self.symbols), "header", "more parameters than symbols")
        self.state = self.symbols[:n_state]
        self._apart(self.state, "parameters")
        for name, buffer, _, init, _, _, _ in self.state:
            region, kind, _, _, _ = self.buffers[buffer]
            need(region != 2 and kind in (1, 2), name, "a parameter outside parameters and state")
            need(region != 1 or init == NONE, name, "a first value for what is not in RAM")
        entries = {}
        for k in range(self.sections["entries"][1]):
            name, record = self._entry(k)
            need(name not in entries, "entry " + name, "is there twice")
            entries[name] = record
            self.names += (name,)
        self.entries = entries

    def read(self, at, count):
        """Bytes of the file; fewer where it ends."""
        if not isinstance(self._source, str):
            return bytes(self._source[at : at + count])
        with open(self._source, "rb") as file:
            file.seek(at)
            return file.read(count)

    def read_array(self, at, data, first, count, typecode):
        """Elements of the file into data[first:first+count]."""
        view = memoryview(data)[first : first + count]
        if isinstance(self._source, str):
            with open(self._source, "rb") as file:
                file.seek(at)
                file.readinto(view)
        else:
            view[:] = array(typecode, bytes(self._source[at : at + count * len(bytes(view[:1]))]))

    def _checksum(self):
        """The file's length, and the CRC-32 of its bytes, but for those that hold it."""
        if not isinstance(self._source, str):
            whole = memoryview(self._source)
            return len(whole), crc32(whole[20:], crc32(whole[:16]))
        part = bytearray(256)
        view = memoryview(part)
        with open(self._source, "rb") as file:
            head = file.read(20)
            length = len(head)
            crc = crc32(head[:16])
            while True:
                got = file.readinto(part)
                if not got:
                    return length, crc
                length += got
                crc = crc32(view[:got], crc)

    def words(self, section, record, size, count):
        """`count` words of a section, from its record of that number on; a record has `size` words."""
        return _words(self.data, self.sections[section][0] + 4 * size * record, count)

    def overlap(self, i, j):
        """True if buffers i and j share a byte."""
        a, b = self.buffers[i], self.buffers[j]
        return a[0] == b[0] != 2 and a[3] < b[3] + b[4] and b[3] < a[3] + a[4]

    def _name(self, at, where):
        start, size = self.sections["strings"]
        need(at < size, where, "its name lies outside the strings")
        end = start + at
        while self.data[end]:
            end += 1
        try:
            return str(bytes(self.data[start + at : end]), "utf-8")
        except UnicodeError:
            raise PlanError(where + ": its name is not UTF-8")

    def _buffer(self, k):
        head, offset, size = self.words("buffers", k, 3, 3)
        region, kind, dtype = head & 255, head >> 8 & 255, head >> 16
        where = "buffer %d" % k
        need(region <= 5 and kind <= 4 and 1 <= dtype <= 7, where, "no such region, kind or dtype")
        in_ram = region in _RAM
        need(not in_ram or _RAM.index(region) < len(self.regions), where, "no such region")
        item = ITEMSIZE[dtype]
        need(size and size % item == 0 and offset % item == 0, where, "offset or size is no multiple of the itemsize")
        need(size <= (1 << 28 if dtype == 7 else 1 << 31), where, "more than 2**31 bytes or elements")
        need(region or offset >= self.executor_bytes, where, "lies in the executor's bytes")
        end = self.regions[_RAM.index(region)][1] if in_ram else (self.sections["consts"][1], NONE)[region - 1]
        need(offset + size <= end and (region != 2 or not offset), where, "ends outside its region")
        return region, kind, dtype, offset, size

    def _symbol(self, k):
        name, buffer, rank, dims, init, check, low, high = self.words("symbols", k, 8, 8)
        where = "symbol %d" % k
        name = self._name(name, where)
        need(buffer < len(self.buffers), where, "no such buffer")
        need(rank <= 8 and dims + rank <= self.sections["dims"][1], where, "its shape lies outside the file")
        shape = _words(self.data, self.sections["dims"][0] + 4 * dims, rank)
        _, _, dtype, _, size = self.buffers[buffer]
        need(dtype != 7, where, "made of bits, which are for map alone")
        count = 1
        for dim in shape:
            count *= dim
        need(count * ITEMSIZE[dtype] == size, where, "shape and buffer do not have the same bytes")
        inside = init == NONE or (init % ITEMSIZE[dtype] == 0 and init + size <= self.sections["init"][1])
        need(inside, where, "its first value lies outside the file")
        need(check in (0, 1, 2), where, "no such check")
        need(check != 1 or dtype == 3, where, "a range for what is not i32")
        need(check != 2 or dtype < 3, where, "finite, but not a float")
        low, high = (v - 0x100000000 if v & 0x80000000 else v for v in (low, high))
        return name, buffer, shape, init, check, low, high

    def _entry(self, k):
        record = self.words("entries", k, 10, 10)
        where = "entry %d" % k
        name = self._name(record[0], where)
        _, step, _, words, i, n_i, o, n_o, u, n_u = record
        count = len(self.symbols)
        need(step + words <= self.sections["steps"][1], where, "its steps lie outside the file")
        need(i + n_i <= count and o + n_o <= count, where, "its symbols lie outside the file")
        need(u + n_u <= self.sections["updates"][1], where, "its updates lie outside the file")
        inputs = self.symbols[i : i + n_i]
        for symbol in inputs:
            need(self.in_ram(symbol[1]), where, "input %s does not lie in RAM" % symbol[0])
        self._apart(inputs + self.state, where)
        updates = [self.words("updates", u + j, 2, 2) for j in range(n_u)]
        owned = [s[1] for s in self.state]
        for old, new in updates:
            need(old in owned and new < len(self.buffers), where, "an update of what is no parameter")
            a, b = self.buffers[old], self.buffers[new]
            need(a[0] == b[0] and a[2:] == b[2:], where, "an update leaves its place")
        return name, (record, inputs, self.symbols[o : o + n_o], updates)

    def _apart(self, symbols, where):
        for i, a in enumerate(symbols):
            for b in symbols[:i]:
                apart = not self.in_ram(a[1]) or not self.overlap(a[1], b[1])
                need(apart, where, "%s and %s share bytes" % (a[0], b[0]))
