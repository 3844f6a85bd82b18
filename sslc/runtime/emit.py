"""A thin layer over llvmlite: just the LLVM instructions that the CPU kernels are written in.

Kernels are LLVM functions that take one pointer to 64-bit arguments. They are compiled for a named
level, not for the host, so the instructions of either level can be inspected on any machine.
"""

import ctypes
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import llvmlite.binding as llvm
from llvmlite import ir

from sslc.runtime.features import Level

I8, I16, I32, I64, F32 = (
    ir.IntType(8),
    ir.IntType(16),
    ir.IntType(32),
    ir.IntType(64),
    ir.FloatType(),
)
POINTER = ir.PointerType()
TRIPLE = "x86_64-unknown-linux-gnu"

Kernel = Callable[[int], None]


def vector(element: ir.Type, lanes: int) -> ir.VectorType:
    """The vector type of so many lanes."""
    return ir.VectorType(element, lanes)


def splat(element: ir.Type, lanes: int, value: int | float) -> ir.Constant:
    """The same constant in every lane."""
    return ir.Constant(vector(element, lanes), [ir.Constant(element, value)] * lanes)


def integer(value: int) -> ir.Constant:
    """A 64-bit constant."""
    return ir.Constant(I64, value)


class Emitter:
    """Appends instructions to one function."""

    def __init__(self, module: ir.Module, name: str) -> None:
        self.module = module
        function = ir.Function(module, ir.FunctionType(ir.VoidType(), [POINTER]), name)
        self.b = ir.IRBuilder(function.append_basic_block())
        self.arguments = function.args[0]
        self.read: dict[int, ir.Value] = {}

    def argument(self, index: int) -> ir.Value:
        """The index-th 64-bit argument, read once at the start of the function."""
        if index not in self.read:
            with self.b.goto_entry_block():
                self.read[index] = self.load(I64, self.at(self.arguments, integer(8 * index)))
        return self.read[index]

    def pointer(self, index: int) -> ir.Value:
        """The index-th argument as a pointer."""
        return self.b.inttoptr(self.argument(index), POINTER)

    def at(self, base: ir.Value, byte: ir.Value) -> ir.Value:
        """The pointer so many bytes on."""
        return self.b.gep(base, [byte], source_etype=I8)

    def load(self, kind: ir.Type, base: ir.Value, byte: int = 0) -> ir.Value:
        """Read a value from a pointer of any alignment."""
        return self.b.load(self.at(base, integer(byte)) if byte else base, typ=kind, align=1)

    def in_register(self, value: ir.Value) -> ir.Value:
        """The same value, kept from being folded into the next instruction as a memory operand."""
        kept = ir.InlineAsm(ir.FunctionType(value.type, [value.type]), "", "=v,0")
        return self.b.call(kept, [value])

    def keep_order(self) -> None:
        """Keep LLVM from reading ahead beyond here, for which there are too few registers."""
        fence = ir.InlineAsm(ir.FunctionType(ir.VoidType(), []), "", "~{memory}", side_effect=True)
        self.b.call(fence, [])

    def store(self, value: ir.Value, base: ir.Value) -> None:
        """Write a value to a pointer of any alignment."""
        self.b.store(value, base, align=1)

    def call(self, name: str, result: ir.Type, *values: ir.Value) -> ir.Value:
        """Call an LLVM intrinsic by its full name."""
        function = self.module.globals.get(name)
        if function is None:
            signature = ir.FunctionType(result, [value.type for value in values])
            function = ir.Function(self.module, signature, name)
        return self.b.call(function, values)

    def multiply_add(self, a: ir.Value, b: ir.Value, c: ir.Value) -> ir.Value:
        """a·b + c, rounded once; of 16-bit words bf16 products, two to a lane (vdpbf16ps)."""
        if a.type.element == F32:
            return self.call(f"llvm.fma.v{a.type.count}f32", a.type, a, b, c)
        kind = ir.FunctionType(c.type, [c.type, a.type, b.type])
        multiply = ir.InlineAsm(kind, "vdpbf16ps $3, $2, $0", "=v,0,v,v")
        return self.b.call(multiply, [c, a, b])

    def least(self, a: ir.Value, b: ir.Value) -> ir.Value:
        """The smaller of two integers."""
        return self.b.select(self.b.icmp_signed("<", a, b), a, b)

    def count_bits(self, word: ir.Value) -> ir.Value:
        """Set bits of a word, as 64 bits."""
        bits = self.call(f"llvm.ctpop.i{word.type.width}", word.type, word)
        return bits if word.type.width == 64 else self.b.zext(bits, I64)

    def spread(self, value: ir.Value, lanes: int) -> ir.Value:
        """The same value in every lane."""
        one = ir.Constant(vector(value.type, lanes), ir.Undefined)
        first = self.b.insert_element(one, value, ir.Constant(I32, 0))
        return self.shuffle(first, [0] * lanes)

    def total(self, lanes: ir.Value) -> ir.Value:
        """The sum of a vector's lanes, by halves."""
        width = lanes.type.count
        while width > 1:
            width //= 2
            upper = self.shuffle(lanes, range(width, 2 * width))
            lower = self.shuffle(lanes, range(width))
            lanes = self.b.fadd(lower, upper)
        return self.b.extract_element(lanes, ir.Constant(I32, 0))

    def shuffle(self, lanes: ir.Value, order: Sequence[int]) -> ir.Value:
        """The lanes in another order."""
        positions = [ir.Constant(I32, position) for position in order]
        return self.b.shuffle_vector(
            lanes, lanes, ir.Constant(vector(I32, len(positions)), positions)
        )

    def prefetch(self, base: ir.Value, byte: int) -> None:
        """Ask for the cache line so many bytes on."""
        flags = [ir.Constant(I32, flag) for flag in (0, 3, 1)]
        self.call("llvm.prefetch.p0", ir.VoidType(), self.at(base, integer(byte)), *flags)

    def variable(self, value: ir.Value) -> ir.Value:
        """A local variable with a first value."""
        with self.b.goto_entry_block():
            slot = self.b.alloca(value.type)
        self.b.store(value, slot)
        return slot

    @contextmanager
    def loop(self, start: ir.Value, stop: ir.Value, step: int = 1) -> Iterator[ir.Value]:
        """Repeat the body for start, start + step, ... while less than stop."""
        slot = self.variable(start)
        with self.repeat() as leave:
            index = self.b.load(slot, typ=I64)
            leave(self.b.icmp_signed(">=", index, stop))
            yield index
            self.b.store(self.b.add(index, integer(step)), slot)

    @contextmanager
    def repeat(self) -> Iterator[Callable[[ir.Value], None]]:
        """Repeat the body until it calls what it is given with a true condition."""
        body, after = (self.b.append_basic_block() for _ in range(2))
        self.b.branch(body)
        self.b.position_at_end(body)

        def leave(condition: ir.Value) -> None:
            going = self.b.append_basic_block()
            self.b.cbranch(condition, after, going)
            self.b.position_at_end(going)

        yield leave
        self.b.branch(body)
        self.b.position_at_end(after)

    def table(self, name: str, element: ir.Type, values: list[int]) -> ir.Value:
        """A constant table, shared by all that is emitted into the module."""
        if name in self.module.globals:
            return self.module.globals[name]
        kind = ir.ArrayType(element, len(values))
        slot = ir.GlobalVariable(self.module, kind, name)
        slot.initializer = ir.Constant(kind, values)
        slot.linkage, slot.global_constant, slot.align = "internal", True, 64
        return slot


@dataclass(frozen=True, eq=False)
class Compiled:
    """Machine code of a module: callable functions, and the assembly they are made of."""

    module: Any
    machine: Any

    def assembly(self) -> str:
        """The instructions, as text."""
        return str(self.machine.emit_assembly(self.module))

    def load(self, name: str) -> Kernel:
        """A function of the module, ready to be called with the address of its arguments."""
        engine = llvm.create_mcjit_compiler(self.module, self.machine)
        engine.finalize_object()
        kernel = ctypes.CFUNCTYPE(None, ctypes.c_void_p)(engine.get_function_address(name))
        kernel.engine = engine  # type: ignore[attr-defined]  # the code lives as long as this
        return kernel


def compile_module(module: ir.Module, level: Level) -> Compiled:
    """Optimise a module for a level.

    Args:
        module: With functions emitted into it.
        level: Instructions that may be used.
    """
    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()
    llvm.initialize_native_asmparser()
    target = llvm.Target.from_triple(TRIPLE)
    machine = target.create_target_machine(cpu=level.cpu, features=level.extra, opt=3, jit=True)
    module.triple = TRIPLE
    parsed = llvm.parse_assembly(str(module))
    options = llvm.create_pipeline_tuning_options(speed_level=3)
    options.loop_unrolling = options.loop_vectorization = options.slp_vectorization = False
    passes = llvm.create_pass_builder(machine, options)
    passes.getModulePassManager().run(parsed, passes)
    return Compiled(parsed, machine)
