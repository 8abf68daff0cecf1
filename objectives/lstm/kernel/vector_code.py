"""What LLVM code is written with: loops, vectors and the activations of a gate."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from llvmlite import ir

INTEGER, FLOAT, POINTER = ir.IntType(64), ir.FloatType(), ir.PointerType()
_FLOAT_BYTES = 4

# The rational approximation of tanh that Eigen's `generic_fast_tanh_float` uses, in powers of x².
_TANH_LIMIT = 7.90531110763549805
_SIGMOID_CLOSED = -2 * _TANH_LIMIT
_TANH_ABOVE = (
    -2.76076847742355e-16,
    2.00018790482477e-13,
    -8.60467152213735e-11,
    5.12229709037114e-08,
    1.48572235717979e-05,
    6.37261928875436e-04,
    4.89352455891786e-03,
)
_TANH_BELOW = (
    1.19825839466702e-06,
    1.18534705686654e-04,
    2.26843463243900e-03,
    4.89352518554385e-03,
)


class VectorCode:
    """The body of one function over float32 arrays, with vectors of `lanes` numbers."""

    def __init__(self, module: ir.Module, name: str, arguments: Sequence[ir.Type], lanes: int):
        function = ir.Function(module, ir.FunctionType(ir.VoidType(), arguments), name)
        for argument in function.args:
            if argument.type == POINTER:
                argument.add_attribute("noalias")
        self.arguments = function.args
        self.vector = ir.VectorType(FLOAT, lanes)
        self.lanes = lanes
        self.builder = ir.IRBuilder(function.append_basic_block())
        intrinsic = f"llvm.fmuladd.v{lanes}f32"
        kind = ir.FunctionType(self.vector, [self.vector] * 3)
        self._fused = module.globals.get(intrinsic) or ir.Function(module, kind, intrinsic)

    def integer(self, value: int) -> ir.Constant:
        """A constant index."""
        return ir.Constant(INTEGER, value)

    def number(self, value: float) -> ir.Constant:
        """A constant in every lane."""
        return ir.Constant(self.vector, [value] * self.lanes)

    def at(self, array: Any, index: Any, stride: int = 1) -> Any:
        """The address of element `index * stride` of an array."""
        if stride != 1:
            index = self.builder.mul(index, self.integer(stride))
        return self.builder.gep(array, [index], source_etype=FLOAT)

    def plus(self, array: Any, offset: int) -> Any:
        """The address `offset` elements on."""
        return self.at(array, self.integer(offset)) if offset else array

    def load(self, array: Any) -> Any:
        """`lanes` elements from an address on."""
        return self.builder.load(array, typ=self.vector, align=_FLOAT_BYTES)

    def store(self, value: Any, array: Any) -> None:
        """Write a vector to an address."""
        self.builder.store(value, array, align=_FLOAT_BYTES)

    def spread(self, array: Any) -> Any:
        """The one element at an address in every lane."""
        single = self.builder.load(array, typ=FLOAT, align=_FLOAT_BYTES)
        first = self.builder.insert_element(
            ir.Constant(self.vector, ir.Undefined), single, ir.Constant(ir.IntType(32), 0)
        )
        order = ir.Constant(ir.VectorType(ir.IntType(32), self.lanes), [0] * self.lanes)
        return self.builder.shuffle_vector(first, ir.Constant(self.vector, ir.Undefined), order)

    def fused(self, left: Any, right: Any, added: Any) -> Any:
        """Multiply two vectors and add a third."""
        return self.builder.call(self._fused, [left, right, added])

    @contextmanager
    def loop(self, count: Any, step: int = 1) -> Iterator[Any]:
        """Repeat a block for 0, `step`, ... below `count`, at least once."""
        with self.summed(count, (), step) as (index, _, _):
            yield index

    @contextmanager
    def summed(
        self, count: Any, starts: Sequence[Any], step: int = 1
    ) -> Iterator[tuple[Any, list[Any], list[Any]]]:
        """A loop that carries values in registers.

        Yields:
            The index, the values as they are at the start of a pass, and the list to write those at its
            end into; after the loop that list holds the last ones.
        """
        builder = self.builder
        before, body = builder.block, builder.append_basic_block()
        builder.branch(body)
        builder.position_at_end(body)
        index = builder.phi(INTEGER)
        index.add_incoming(self.integer(0), before)
        values = [builder.phi(self.vector) for _ in starts]
        ends = list(values)
        yield index, values, ends
        following = builder.add(index, self.integer(step))
        index.add_incoming(following, builder.block)
        for value, start, end in zip(values, starts, ends, strict=True):
            value.add_incoming(start, before)
            value.add_incoming(end, builder.block)
        after = builder.append_basic_block()
        limit = self.integer(count) if isinstance(count, int) else count
        builder.cbranch(builder.icmp_signed("<", following, limit), body, after)
        builder.position_at_end(after)

    def tanh(self, value: Any) -> Any:
        """Within a few units of the last place; what is not a number stays so."""
        builder = self.builder
        for comparison, limit in ((">", _TANH_LIMIT), ("<", -_TANH_LIMIT)):
            beyond = builder.fcmp_ordered(comparison, value, self.number(limit))
            value = builder.select(beyond, self.number(limit), value)
        square = builder.fmul(value, value)
        above = builder.fmul(value, self._polynomial(square, _TANH_ABOVE))
        return builder.fdiv(above, self._polynomial(square, _TANH_BELOW))

    def sigmoid(self, value: Any) -> Any:
        """By way of tanh; zero where a float32 near one would not notice, as closed gates must be."""
        half, closed = self.number(0.5), self.number(_SIGMOID_CLOSED)
        found = self.fused(self.tanh(self.builder.fmul(value, half)), half, half)
        below = self.builder.fcmp_ordered("<", value, closed)
        return self.builder.select(below, self.number(0.0), found)

    def _polynomial(self, value: Any, factors: Sequence[float]) -> Any:
        found: Any = self.number(factors[0])
        for factor in factors[1:]:
            found = self.fused(found, value, self.number(factor))
        return found
