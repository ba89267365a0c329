"""Reads the pickles of CIFAR-10: text, numbers, containers and arrays of bytes, nothing else.

A pickle is a program. Its operations are checked before it runs, and whatever function or class it
names is a stand-in of this module: numpy itself never builds an array from what a stranger says.
"""

from __future__ import annotations

import io
import pickle
import pickletools
from math import prod
from typing import Any, NoReturn

import numpy as np

_OPERATIONS = frozenset(
    {
        *("PROTO", "FRAME", "MARK", "STOP", "POP", "GLOBAL", "STACK_GLOBAL", "REDUCE", "BUILD"),
        *("PUT", "BINPUT", "LONG_BINPUT", "MEMOIZE", "GET", "BINGET", "LONG_BINGET"),
        *("NONE", "NEWTRUE", "NEWFALSE", "INT", "BININT", "BININT1", "BININT2"),
        *("LONG", "LONG1", "LONG4", "BINFLOAT", "FLOAT"),
        *("STRING", "BINSTRING", "SHORT_BINSTRING", "BINBYTES", "SHORT_BINBYTES", "BINBYTES8"),
        *("UNICODE", "BINUNICODE", "SHORT_BINUNICODE", "BINUNICODE8"),
        *("EMPTY_TUPLE", "TUPLE", "TUPLE1", "TUPLE2", "TUPLE3", "EMPTY_LIST", "LIST", "APPEND"),
        *("APPENDS", "EMPTY_DICT", "DICT", "SETITEM", "SETITEMS"),
    }
)
_MOST_TUPLES = 1_000  # a tuple in a tuple in a tuple … as a key would end the process


def read_pickle(content: bytes) -> Any:
    """The value in a pickle; its arrays are `uint8`.

    Raises `ValueError` for a pickle that holds anything else, and whatever a damaged one leads
    the unpickler into.
    """
    tuples = 0
    for place, (operation, argument, _) in enumerate(pickletools.genops(content)):
        tuples += operation.name.startswith("TUPLE")
        if operation.name not in _OPERATIONS or tuples > _MOST_TUPLES:
            raise ValueError(f"it holds the operation {operation.name}, which is not allowed")
        if operation.name in ("PUT", "BINPUT", "LONG_BINPUT") and int(argument or 0) > place:
            raise ValueError("it keeps more than it holds")
    return _finished(_Unpickler(io.BytesIO(content), encoding="latin1").load())


def _finished(value: Any) -> Any:
    """The value of a dictionary's entries with their arrays in place of the stand-ins."""
    if isinstance(value, dict):
        return {key: _finished(entry) for key, entry in value.items()}
    return value.array() if isinstance(value, _Array) else value


class _StandIn:
    """Something that a pickle names; it is called, but has no state that a pickle could set."""

    __slots__ = ()

    def __setstate__(self, state: Any) -> NoReturn:
        raise ValueError("it changes what it only names")


class _ArrayType(_StandIn):
    """Stands for numpy's class of arrays."""


class _Reconstruct(_StandIn):
    """Stands for the function with which numpy's pickles begin an array."""

    def __call__(self, kind: Any, shape: Any, code: Any) -> _Array:
        return _Array()


class _MakeDtype(_StandIn):
    """Stands for numpy's class of dtypes."""

    def __call__(self, name: Any, *_: Any) -> _Dtype:
        return _Dtype(str(name))


class _Encode(_StandIn):
    """Stands for the function with which Python 3 writes bytes in old protocols."""

    def __call__(self, text: str, encoding: str) -> bytes:
        if encoding != "latin1":
            raise ValueError("it asks for another encoding")
        return text.encode("latin1")


class _Dtype:
    """A dtype, of which only the name counts."""

    def __init__(self, name: str) -> None:
        self.name = name

    def __setstate__(self, state: Any) -> None:
        """A dtype's byte order and the like, of which bytes have none."""


class _Array:
    """An array that is being read."""

    def __init__(self) -> None:
        self.state: Any = None

    def __setstate__(self, state: Any) -> None:
        self.state = state

    def array(self) -> np.ndarray[Any, np.dtype[np.uint8]]:
        """The array of bytes. Raises `ValueError` for any other."""
        _, shape, dtype, is_fortran, content = self.state
        if isinstance(content, str):  # bytes of Python 2
            content = content.encode("latin1")
        if not isinstance(dtype, _Dtype) or dtype.name not in ("u1", "uint8", "|u1"):
            raise ValueError("its data are not bytes")
        sizes = [int(size) for size in shape]
        if min(sizes, default=-1) < 0 or prod(sizes) != len(content):
            raise ValueError(f"its data are {len(content)} bytes for the shape {sizes}")
        order = "F" if is_fortran is True else "C"
        return np.frombuffer(content, np.uint8).reshape(sizes, order=order)  # type: ignore[call-overload]


_STAND_INS: dict[tuple[str, str], _StandIn] = {
    ("numpy", "ndarray"): _ArrayType(),
    ("numpy", "dtype"): _MakeDtype(),
    ("numpy.core.multiarray", "_reconstruct"): _Reconstruct(),
    ("numpy._core.multiarray", "_reconstruct"): _Reconstruct(),
    ("_codecs", "encode"): _Encode(),
}


class _Unpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in _STAND_INS:
            raise pickle.UnpicklingError(f"it asks for {module}.{name}, which is not allowed")
        return _STAND_INS[module, name]
