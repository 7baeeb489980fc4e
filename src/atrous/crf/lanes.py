"""A row of numbers held in the processor's registers: the words in which numba's loops speak of all labels at once.

LLVM makes vector code of a loop over labels only where it can prove that no two arrays overlap, and then for many more
labels than there are. These words leave it no choice. A row has 4, 8, 16, 24 or 32 numbers; its type is carried by
`lanes`, a tuple with one entry for every four of them, so that each width is compiled for itself. In registers it is
cut into pieces of 16 numbers or fewer, of which processors with narrower registers make several.

numba's cache sees a change of the file with the loop, not of this one: delete `__pycache__` after changing it.
"""

from collections.abc import Callable
from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic, models, register_model

FLOAT = ir.FloatType()
INT = ir.IntType(32)
PLACE = ir.IntType(64)
WIDTHS = (4, 8, 16, 24, 32)

FLOOR = -60.0  # products of still smaller probabilities are denormal numbers, which cost a hundred times as much
LOG2_E = 1.4426950408889634
LN_2 = 0.6931471805599453
ROUNDING = 12582912.0  # 1.5 * 2**23: what is added to it loses its fraction
EXP_TERMS = (1 / 720, 1 / 120, 1 / 24, 1 / 6, 1 / 2, 1.0, 1.0)  # up to x**6 on |x| < 0.35: exact to float32


def lanes_of(width: int) -> tuple[int, ...]:
    """What tells a compiled function that a row has `width` numbers."""
    return (0,) * (width // 4)


class Row(types.Type):  # type: ignore[misc]  # numba
    """The type of a row in registers."""

    def __init__(self, width: int) -> None:
        self.width = width
        self.pieces = [16] * (width // 16) + [width % 16] * (width % 16 > 0)
        super().__init__(name=f"Row({width})")

    def starts(self) -> list[int]:
        """Where each piece begins."""
        return [sum(self.pieces[:index]) for index in range(len(self.pieces))]


@register_model(Row)
class _RowModel(models.PrimitiveModel):  # type: ignore[misc]  # numba
    def __init__(self, manager: Any, kind: Row) -> None:
        super().__init__(manager, kind, ir.LiteralStructType([ir.VectorType(FLOAT, size) for size in kind.pieces]))


@intrinsic
def zero(_typing, lanes):
    """A row of zeros."""
    return Row(4 * lanes.count)(lanes), _zero


@intrinsic
def load(_typing, lanes, array, index):
    """Row `index` of a contiguous float32 array [rows, width]."""
    return Row(4 * lanes.count)(lanes, array, index), _load


@intrinsic
def store(_typing, array, index, row):
    """Write row `index` of a contiguous float32 array [rows, width]."""
    return types.void(array, index, row), _store


@intrinsic
def add(_typing, first, second):
    """The sum of two rows."""
    return first(first, second), _by_pieces(lambda builder, a, b: builder.fadd(a, b))


@intrinsic
def multiply(_typing, first, second):
    """The product of a row and a row or one float32."""
    return first(first, second), _by_pieces(lambda builder, a, b: builder.fmul(a, b))


@intrinsic
def multiply_add(_typing, row, factor, other):
    """The row times the factor, which is a row or one float32, plus the other row."""
    return row(row, factor, other), _by_pieces(_fused)


@intrinsic
def exp_minus(_typing, row, number):
    """exp(row - number) to float32's precision, where no difference is above 0; below FLOOR it is exp(FLOOR)."""
    return row(row, number), _by_pieces(_exp_minus)


@intrinsic
def largest(_typing, row):
    """The largest number of a row."""
    return types.float32(row), _reduced("fmax", (), lambda builder, a, b: _larger(builder, a, b))


@intrinsic
def total(_typing, row):
    """The sum of a row."""
    return types.float32(row), _reduced("fadd", (ir.Constant(FLOAT, -0.0),), lambda builder, a, b: builder.fadd(a, b))


def _zero(_context, _builder, signature, _values):
    pieces = [_constant(ir.VectorType(FLOAT, size), 0.0) for size in signature.return_type.pieces]
    return ir.Constant.literal_struct(pieces)


def _places(context, builder, kind, array, index, row):
    """Where the pieces of a row are in memory."""
    data = context.make_array(kind)(context, builder, array).data
    if index.type.width < PLACE.width:
        index = builder.zext(index, PLACE)
    begin = builder.mul(index, ir.Constant(PLACE, row.width))
    for start, size in zip(row.starts(), row.pieces, strict=True):
        place = builder.gep(data, [builder.add(begin, ir.Constant(PLACE, start))])
        yield builder.bitcast(place, ir.VectorType(FLOAT, size).as_pointer())


def _load(context, builder, signature, values):
    row = signature.return_type
    _, array, index = values
    places = _places(context, builder, signature.args[1], array, index, row)
    return _joined(context, builder, row, [builder.load(place, align=4) for place in places])


def _store(context, builder, signature, values):
    array, index, row = values
    for position, place in enumerate(_places(context, builder, signature.args[0], array, index, signature.args[2])):
        builder.store(builder.extract_value(row, position), place, align=4)
    return context.get_dummy_value()


def _by_pieces(operation: Callable[..., Any]) -> Callable[..., Any]:
    """The operation on every piece of rows; a single number stands for a row of it."""

    def generate(context, builder, signature, values):
        row = signature.return_type
        results = []
        for position, size in enumerate(row.pieces):
            pieces = [
                builder.extract_value(value, position) if isinstance(kind, Row) else _repeated(builder, value, size)
                for kind, value in zip(signature.args, values, strict=True)
            ]
            results.append(operation(builder, *pieces))
        return _joined(context, builder, row, results)

    return generate


def _reduced(name: str, start: tuple[Any, ...], operation: Callable[..., Any]) -> Callable[..., Any]:
    """One number of a row: that of each piece, then of those."""

    def generate(_context, builder, signature, values):
        result = None
        for position, size in enumerate(signature.args[0].pieces):
            piece = builder.extract_value(values[0], position)
            kind = ir.FunctionType(FLOAT, [*(value.type for value in start), piece.type])
            function = cgutils.get_or_insert_function(builder.module, kind, f"llvm.vector.reduce.{name}.v{size}f32")
            number = builder.call(function, [*start, piece], fastmath=("reassoc", "nnan"))
            result = number if result is None else operation(builder, result, number)
        return result

    return generate


def _joined(context, builder, row, pieces):
    result = ir.Constant(context.get_value_type(row), ir.Undefined)
    for position, piece in enumerate(pieces):
        result = builder.insert_value(result, piece, position)
    return result


def _repeated(builder, number, size):
    empty = ir.Constant(ir.VectorType(FLOAT, size), ir.Undefined)
    first = builder.insert_element(empty, number, ir.Constant(INT, 0))
    return builder.shuffle_vector(first, empty, ir.Constant(ir.VectorType(INT, size), [0] * size))


def _exp_minus(builder, row, number):
    """2**n * exp(rest), where n is the nearest whole number of powers of two, and 2**n is made of bits."""
    kind = row.type
    x = _larger(builder, builder.fsub(row, number), _constant(kind, FLOOR))
    shifted = _fused(builder, x, _constant(kind, LOG2_E), _constant(kind, ROUNDING))
    rest = _fused(builder, builder.fsub(shifted, _constant(kind, ROUNDING)), _constant(kind, -LN_2), x)
    result = _constant(kind, EXP_TERMS[0])
    for term in EXP_TERMS[1:]:
        result = _fused(builder, result, rest, _constant(kind, term))
    whole = ir.VectorType(INT, kind.count)
    bits = builder.shl(builder.bitcast(shifted, whole), ir.Constant(whole, [23] * kind.count))
    return builder.bitcast(builder.add(builder.bitcast(result, whole), bits), kind)


def _fused(builder, a, b, c):
    # "contract" lets processors with such an instruction multiply and add in one step, and others in two.
    return builder.fadd(builder.fmul(a, b, flags=("contract",)), c, flags=("contract",))


def _larger(builder, a, b):
    return builder.select(builder.fcmp_ordered(">", a, b), a, b)


def _constant(kind, value):
    return ir.Constant(kind, [value] * kind.count)
