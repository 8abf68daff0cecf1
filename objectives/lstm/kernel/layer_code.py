"""LLVM code of an LSTM layer's passes over all time steps, for fixed sizes."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

from llvmlite import ir

from objectives.lstm.kernel.vector_code import INTEGER, POINTER, VectorCode

GATES = 4
ARGUMENTS = {  # of each function: arrays, then integers
    "forward": (4, 5),
    "backward": (8, 3),
    "inputs": (3, 2),
}


@dataclass(frozen=True)
class Sizes:
    """Of a layer's arrays, as the code lays them out; see `layer_code`.

    `lanes` numbers make a vector, a multiple of `tile`, the rows that are computed at once.
    """

    features: int
    units: int
    lanes: int
    tile: int

    @property
    def panels(self) -> int:
        """How many vectors hold the units."""
        return -(-self.units // self.lanes)

    @property
    def width(self) -> int:
        """Units with those that fill the last vector up; these stay zero."""
        return self.panels * self.lanes

    @property
    def depth(self) -> int:
        """Of the products of the forward pass: hidden state, one for the bias, features."""
        return self.width + 1 + self.features

    @property
    def stride(self) -> int:
        """`depth`, filled up to whole vectors."""
        return -(-self.depth // self.lanes) * self.lanes

    @property
    def feature_vectors(self) -> int:
        """How many vectors hold the features."""
        return -(-self.features // self.lanes)

    @property
    def gates(self) -> int:
        """Numbers that all gates of a row take."""
        return GATES * self.width


def layer_code(sizes: Sizes) -> ir.Module:
    """Write the passes of a layer, for any number of steps and any multiple of `tile` rows.

    All arrays are float32, in these layouts:
    - operands (timesteps + 1, rows, stride): the hidden state before the step, a one, the features;
    - weights (panels, stride, gates, lanes): what the operands are multiplied with;
    - gates (timesteps, panels, rows, gates, lanes): after their activations; the backward pass puts the
      gradients of what went into these in their place;
    - cells (timesteps + 1, rows, width): the cell state before the step;
    - back, in blocks of at most `GATES` vectors of columns, each (panels * gates * lanes, vectors *
      lanes): weights to multiply those gradients with.
    """
    module = ir.Module(name="lstm")
    for name, write in (
        ("forward", _forward),
        ("backward", _backward),
        ("inputs", _inputs),
    ):
        pointers, integers = ARGUMENTS[name]
        kinds = [POINTER] * pointers + [INTEGER] * integers
        write(VectorCode(module, name, kinds, sizes.lanes), sizes)
    return module


def _forward(code: VectorCode, sizes: Sizes) -> None:
    """forward(operands, weights, gates, cells, timesteps, rows, what lies between steps of three)."""
    operands, weights, gates, cells, timesteps, rows, *apart = code.arguments
    mul, vectors = code.builder.mul, GATES * sizes.lanes
    with code.loop(timesteps) as step:
        now, saved, before = (
            code.at(array, mul(step, stride))
            for array, stride in zip((operands, gates, cells), apart, strict=True)
        )
        then, after = code.at(now, apart[0]), code.at(before, apart[2])
        with code.loop(sizes.panels) as panel, code.loop(rows, sizes.tile) as row:
            left = code.at(now, row, sizes.stride)
            factors = code.at(weights, panel, sizes.stride * GATES * sizes.lanes)
            zeros = [code.number(0.0)] * (sizes.tile * GATES)
            sums = _product(code, left, (sizes.stride, sizes.depth), factors, zeros, GATES)
            saved_here = code.at(_of_panel(code, saved, rows, panel, sizes), row, vectors)
            for number in range(sizes.tile):
                this = code.builder.add(row, code.integer(number))
                cell, cell_after, hidden = (
                    code.at(code.at(array, this, across), panel, sizes.lanes)
                    for array, across in (
                        (before, sizes.width),
                        (after, sizes.width),
                        (then, sizes.stride),
                    )
                )
                place = code.plus(saved_here, number * vectors)
                _activate(code, sums[number * GATES :][:GATES], place, (cell, cell_after), hidden)
    code.builder.ret_void()


def _activate(
    code: VectorCode, sums: Sequence[Any], saved: Any, cells: tuple[Any, Any], hidden: Any
) -> None:
    """One vector of units of one row: from what goes into the gates to the new states."""
    builder = code.builder
    into, forget, new, out = sums
    into, forget, out = code.sigmoid(into), code.sigmoid(forget), code.sigmoid(out)
    new = code.tanh(new)
    for number, gate in enumerate((into, forget, new, out)):
        code.store(gate, code.plus(saved, number * code.lanes))
    cell = code.fused(forget, code.load(cells[0]), builder.fmul(into, new))
    code.store(cell, cells[1])
    code.store(builder.fmul(out, code.tanh(cell)), hidden)


def _product(
    code: VectorCode,
    left: Any,
    shape: tuple[int, int],
    right: Any,
    starts: Sequence[Any],
    columns: int,
) -> list[Any]:
    """Rows of `left` times `columns` vectors of `right`, added to `starts` (rows * columns).

    The sums stay in registers. `shape` says how far the rows of `left` are apart and how many numbers of
    each are multiplied.
    """
    apart, length = shape
    with code.summed(length, starts) as (inner, sums, ends):
        factors = code.at(right, inner, columns * code.lanes)
        vectors = [code.load(code.plus(factors, column * code.lanes)) for column in range(columns)]
        first = code.at(left, inner)
        tile = range(len(starts) // columns)
        singles = [code.spread(code.plus(first, row * apart)) for row in tile]
        ends[:] = _outer_added(code, singles, vectors, sums)
    return ends


def _outer_added(
    code: VectorCode, singles: Sequence[Any], vectors: Sequence[Any], sums: Sequence[Any]
) -> list[Any]:
    """Each single number times each vector, added to the sums in this order."""
    pairs = [(single, vector) for single in singles for vector in vectors]
    return [code.fused(*pair, added) for pair, added in zip(pairs, sums, strict=True)]


def _of_panel(code: VectorCode, gates: Any, rows: Any, panel: Any, sizes: Sizes) -> Any:
    """The address of a panel in the gates of one step."""
    return code.at(gates, code.builder.mul(rows, panel), GATES * sizes.lanes)


def _backward(code: VectorCode, sizes: Sizes) -> None:
    """backward(operands, gates, cells, back, found, received, hidden, carry, timesteps, rows, apart).

    `received` (timesteps, rows, width), its steps `apart` numbers apart, are gradients of hidden states;
    those of both last states are in `hidden` and `carry` (rows, width) and end as those of the first.
    The gradient of the weights is added to `found`, laid out as they are.
    """
    operands, gates, cells, back, found, *flowing, timesteps, rows, apart = code.arguments
    builder = code.builder
    received, hidden, carry = flowing
    plane = builder.mul(rows, code.integer(sizes.width))
    with code.loop(timesteps) as done:
        step = builder.sub(builder.sub(timesteps, code.integer(1)), done)
        here = builder.mul(step, plane)
        slopes, before, added = (
            code.at(gates, here, GATES),
            code.at(cells, here),
            code.at(received, builder.mul(step, apart)),
        )
        after = code.at(before, plane)
        with code.loop(sizes.panels) as panel, code.loop(rows) as row:
            place = code.at(_of_panel(code, slopes, rows, panel, sizes), row, GATES * sizes.lanes)
            states, news = (
                tuple(
                    code.at(code.at(array, row, sizes.width), panel, sizes.lanes) for array in kind
                )
                for kind in ((before, after), (hidden, carry, added))
            )
            _slopes(code, place, states, news)
        _multiply(code, slopes, back, hidden, (rows, sizes.panels), sizes)
        now = code.at(operands, builder.mul(step, rows), sizes.stride)
        _add_weights(code, (now, slopes, found), rows, sizes)
    builder.ret_void()


def _slopes(code: VectorCode, gates: Any, cells: tuple[Any, ...], flowing: tuple[Any, ...]) -> None:
    """One vector of units of one row: the gradients of what went into its gates."""
    mul, plus, one = code.builder.fmul, code.builder.fadd, code.number(1.0)
    into, forget, new, out = (code.load(code.plus(gates, n * code.lanes)) for n in range(GATES))
    earlier, squashed = code.load(cells[0]), code.tanh(code.load(cells[1]))
    hidden = plus(code.load(flowing[0]), code.load(flowing[2]))
    less = code.builder.fsub
    cell = plus(code.load(flowing[1]), mul(mul(hidden, out), less(one, mul(squashed, squashed))))
    code.store(mul(cell, forget), flowing[1])
    found = (
        mul(mul(cell, new), mul(into, less(one, into))),
        mul(mul(cell, earlier), mul(forget, less(one, forget))),
        mul(mul(cell, into), less(one, mul(new, new))),
        mul(mul(hidden, squashed), mul(out, less(one, out))),
    )
    for number, slope in enumerate(found):
        code.store(slope, code.plus(gates, number * code.lanes))


def _multiply(
    code: VectorCode, slopes: Any, back: Any, found: Any, shape: tuple[Any, int], sizes: Sizes
) -> None:
    """Found (rows, vectors * lanes) = slopes of one step times back, a block of columns at a time."""
    rows, vectors = shape
    depth = GATES * sizes.lanes
    for first, count in column_blocks(vectors):
        factors = code.plus(back, first * sizes.gates * sizes.lanes)
        with code.loop(rows, sizes.tile) as row:
            zeros = [code.number(0.0)] * (sizes.tile * count)
            with code.summed(sizes.panels, zeros) as (panel, sums, ends):
                left = code.at(_of_panel(code, slopes, rows, panel, sizes), row, depth)
                right = code.at(factors, panel, depth * count * sizes.lanes)
                ends[:] = _product(code, left, (depth, depth), right, sums, count)
            target = code.at(found, row, vectors * sizes.lanes)
            for number, column in product(range(sizes.tile), range(count)):
                place = (number * vectors + first + column) * sizes.lanes
                code.store(ends[number * count + column], code.plus(target, place))


def column_blocks(vectors: int) -> list[tuple[int, int]]:
    """The first vector and the number of vectors of each block of columns."""
    return [(first, min(GATES, vectors - first)) for first in range(0, vectors, GATES)]


def _inputs(code: VectorCode, sizes: Sizes) -> None:
    """inputs(slopes, back, found, timesteps, rows): the gradients of the features.

    They are (timesteps, rows, their vectors).
    """
    slopes, back, found, timesteps, rows = code.arguments
    with code.loop(timesteps) as step:
        first = code.builder.mul(step, rows)
        here, target = (
            code.at(array, first, vectors * sizes.lanes)
            for array, vectors in ((slopes, GATES * sizes.panels), (found, sizes.feature_vectors))
        )
        _multiply(code, here, back, target, (rows, sizes.feature_vectors), sizes)
    code.builder.ret_void()


def _add_weights(code: VectorCode, arrays: tuple[Any, Any, Any], rows: Any, sizes: Sizes) -> None:
    """Add what one step contributes to the gradient of the weights."""
    operands, slopes, found = arrays
    vectors = GATES * sizes.lanes
    with code.loop(sizes.panels) as panel:
        right = _of_panel(code, slopes, rows, panel, sizes)
        target = code.at(found, panel, sizes.stride * vectors)
        with code.loop(sizes.depth, sizes.tile) as first:
            place, across = code.at(target, first, vectors), code.at(operands, first)
            addresses = [code.plus(place, n * sizes.lanes) for n in range(GATES * sizes.tile)]
            with code.summed(rows, [code.load(a) for a in addresses]) as (row, sums, ends):
                these, single = code.at(right, row, vectors), code.at(across, row, sizes.stride)
                factors = [code.load(code.plus(these, g * sizes.lanes)) for g in range(GATES)]
                singles = [code.spread(code.plus(single, n)) for n in range(sizes.tile)]
                ends[:] = _outer_added(code, singles, factors, sums)
            for address, end in zip(addresses, ends, strict=True):
                code.store(end, address)
