"""Has LLVM compile a layer's code for this processor; nothing but the package llvmlite is needed."""

import ctypes
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import llvmlite.binding as llvm
import numpy as np

from objectives.lstm.kernel.layer_code import ARGUMENTS, Sizes, layer_code
from objectives.lstm.kernel.object_code import compiled


@dataclass(frozen=True)
class MachineCode:
    """Functions in memory, which `engine` keeps there; see `layer_code` for their arguments."""

    engine: Any
    functions: dict[str, Callable[..., None]]

    def call(self, name: str, *arguments: Any) -> None:
        """Run a function on float32 arrays, contiguous ones, and integers."""
        addresses = [a.ctypes.data if isinstance(a, np.ndarray) else a for a in arguments]
        self.functions[name](*addresses)


def sizes_for(features: int, units: int) -> Sizes:
    """A layer's sizes, with the vectors of this processor and as many rows as fit its registers."""
    has = llvm.get_host_cpu_features()
    lanes, tile = (16, 4) if has.get("avx512f") else (8, 2) if has.get("avx2") else (4, 4)
    return Sizes(features, units, lanes, tile)


@lru_cache(maxsize=16)
def machine_code(sizes: Sizes) -> MachineCode:
    """Load a layer's code, which is compiled first where no process before has done that."""
    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()
    machine = llvm.Target.from_default_triple().create_target_machine(
        cpu=llvm.get_host_cpu_name(), features=llvm.get_host_cpu_features().flatten(), opt=2
    )
    code = compiled.get(str(sizes))
    if code is None:
        code = compiled[str(sizes)] = _compile(sizes, machine)
    engine = llvm.create_mcjit_compiler(llvm.parse_assembly(""), machine)
    engine.add_object_file(llvm.ObjectFileRef.from_data(code))
    engine.finalize_object()
    functions: dict[str, Callable[..., None]] = {}
    for name, (pointers, integers) in ARGUMENTS.items():
        kinds = [ctypes.c_void_p] * pointers + [ctypes.c_int64] * integers
        kind = ctypes.CFUNCTYPE(None, *kinds)
        functions[name] = kind(engine.get_function_address(name))
    return MachineCode(engine, functions)


def _compile(sizes: Sizes, machine: llvm.TargetMachine) -> bytes:
    module = llvm.parse_assembly(str(layer_code(sizes)))
    passes = llvm.create_pass_builder(machine, llvm.create_pipeline_tuning_options(speed_level=1))
    passes.getModulePassManager().run(module, passes)
    code: bytes = machine.emit_object(module)
    return code
