"""Tensors on their way to Java and back: as bytes, since one call for each value takes long."""

from __future__ import annotations

import sys
from array import array
from math import prod
from numbers import Real
from typing import Any, List, Sequence, Tuple

from tare._bridge import Bridge, TareError


class Tensors:
    """Makes Java's arrays of Python's numbers, and lists of Java's arrays."""

    def __init__(self, bridge: Bridge) -> None:
        self._jvm = bridge.jvm
        self._bytes = bridge.jvm.java.nio.ByteBuffer
        name = "LITTLE_ENDIAN" if sys.byteorder == "little" else "BIG_ENDIAN"
        self._order = getattr(bridge.jvm.java.nio.ByteOrder, name)

    def floats(self, values: Sequence[float]) -> Any:
        """A ``float[]``; each number becomes the nearest float32."""
        packed = array("f", values)
        java = self._new("float", len(packed))
        self._bytes.wrap(packed.tobytes()).order(self._order).asFloatBuffer().get(java)
        return java

    def ints(self, values: Sequence[int]) -> Any:
        """An ``int[]``."""
        packed = array("i", values)
        java = self._new("int", len(packed))
        self._bytes.wrap(packed.tobytes()).order(self._order).asIntBuffer().get(java)
        return java

    def longs(self, values: Sequence[int]) -> Any:
        """A ``long[]``."""
        packed = array("q", values)
        java = self._new("long", len(packed))
        self._bytes.wrap(packed.tobytes()).order(self._order).asLongBuffer().get(java)
        return java

    def float_list(self, java: Any) -> List[float]:
        """What a ``float[]`` holds."""
        buffer = self._buffer(4 * len(java))
        buffer.asFloatBuffer().put(java)
        return _unpacked("f", buffer)

    def int_list(self, java: Any) -> List[int]:
        """What an ``int[]`` holds."""
        buffer = self._buffer(4 * len(java))
        buffer.asIntBuffer().put(java)
        return _unpacked("i", buffer)

    def double_list(self, java: Any) -> List[float]:
        """What a ``double[]`` holds."""
        buffer = self._buffer(8 * len(java))
        buffer.asDoubleBuffer().put(java)
        return _unpacked("d", buffer)

    def _new(self, kind: str, length: int) -> Any:
        array_class = self._jvm.java.lang.reflect.Array
        types = {"float": "Float", "int": "Integer", "long": "Long"}
        return array_class.newInstance(getattr(self._jvm.java.lang, types[kind]).TYPE, length)

    def _buffer(self, size: int) -> Any:
        return self._bytes.allocate(size).order(self._order)


def _unpacked(kind: str, buffer: Any) -> List[Any]:
    values = array(kind)
    values.frombytes(bytes(buffer.array()))
    return values.tolist()


def flat(values: Any) -> Tuple[List[float], List[int]]:
    """The numbers of a tensor in row-major order, and its shape.

    Args:
        values: a number, lists in lists, or an array of NumPy or of another library that has
            ``tolist``.

    Raises:
        TareError: if it is something else, or its rows differ in length.
    """
    nested = values.tolist() if hasattr(values, "tolist") else values
    shape: List[int] = []
    level = nested
    while isinstance(level, (list, tuple)):
        shape.append(len(level))
        if not level:
            break
        level = level[0]
    numbers: List[float] = []
    _flatten(nested, shape, 0, numbers)
    return numbers, shape


def _flatten(value: Any, shape: List[int], axis: int, numbers: List[float]) -> None:
    if axis == len(shape):
        if not isinstance(value, Real):
            raise TareError("USAGE", f"Cannot read a tensor: it holds {value!r}, which is no number")
        numbers.append(float(value))
        return
    if not isinstance(value, (list, tuple)) or len(value) != shape[axis]:
        found = len(value) if isinstance(value, (list, tuple)) else "no"
        raise TareError(
            "USAGE",
            f"Cannot read a tensor: along axis {axis} there are {shape[axis]} values in one row and"
            f" {found} in another",
        )
    for one in value:
        _flatten(one, shape, axis + 1, numbers)


def nested(numbers: List[Any], shape: Sequence[int]) -> Any:
    """Numbers in row-major order as lists in lists; of no axis, the number."""
    if not shape:
        return numbers[0]
    if len(shape) == 1:
        return numbers
    inner = prod(shape[1:])
    return [nested(numbers[i * inner : (i + 1) * inner], shape[1:]) for i in range(shape[0])]
