"""Copies what a user gives into a buffer, and checks it. An item is
(name, array, first, count, shape, memoryview, dtype, check, low, high)."""

from .errors import InputError

_LIMITS = {3: (-2147483648, 2147483647), 4: (0, 255), 5: (-128, 127), 6: (0, 1)}


def copy_in(where, item, value):
    """Copy a number (shape ()), a flat array or list, or lists nested as the shape is. Raises InputError."""
    name, data, first, count, shape, view, dtype, _, _, _ = item
    if not shape:
        _put(where, name, data, first, dtype, value)
        return
    try:
        given = len(value)
        inner = value[0] if given else None
    except (TypeError, KeyError):
        given = -1
    if given < 0:
        raise InputError("%s: `%s` needs shape %s, not %r" % (where, name, shape, type(value)))
    if not isinstance(inner, (float, int, str)) and given and not isinstance(value, str):
        _nested(where, name, data, first, dtype, shape, 0, value)
        return
    if given != count:
        raise InputError("%s: `%s` needs shape %s: %d elements, not %d" % (where, name, shape, count, given))
    if dtype < 3 and type(inner) is float:
        try:
            view[:] = value  # an array of the same item size: no float is boxed
            return
        except (TypeError, ValueError, NotImplementedError):  # a list, or another item size
            pass
    for k in range(count):
        _put(where, name, data, first + k, dtype, value[k])


def _nested(where, name, data, at, dtype, shape, axis, value):
    try:
        given = len(value)
    except TypeError:
        given = -1
    if axis == len(shape) or given != shape[axis]:
        raise InputError("%s: `%s` needs shape %s; axis %d does not fit" % (where, name, shape, axis))
    size = 1
    for dim in shape[axis + 1 :]:
        size *= dim
    for part in value:
        if axis + 1 < len(shape):
            _nested(where, name, data, at, dtype, shape, axis + 1, part)
        else:
            _put(where, name, data, at, dtype, part)
        at += size


def _put(where, name, data, at, dtype, value):
    if dtype < 3 and isinstance(value, (float, int)):
        data[at] = value
        return
    if dtype < 3 or not isinstance(value, int):
        kind = "numbers" if dtype < 3 else "integers"
        raise InputError("%s: `%s` holds %s, not %r" % (where, name, kind, type(value)))
    low, high = _LIMITS[dtype]
    if not low <= value <= high:
        raise InputError("%s: `%s` holds %d .. %d, not %d" % (where, name, low, high, value))
    data[at] = value


def verify(where, item):
    """The plan's own check of an input that is in place: labels in range, floats finite. Raises InputError."""
    name, data, first, count, _, _, _, check, low, high = item
    if check == 1:
        for k in range(first, first + count):
            if not low <= data[k] <= high:
                what = "is %d; it must be %d .. %d" % (data[k], low, high)
                raise InputError("%s: `%s` element %d %s" % (where, name, k - first, what))
    elif check == 2:
        for k in range(first, first + count):
            value = data[k]
            if value - value != 0.0:
                raise InputError("%s: `%s` element %d is %s; it must be finite" % (where, name, k - first, value))
