"""What nvcc has made of the kernels, read from their machine code: a table, to compare before and after a change.

    sass_facts.py [--tools FOLDER] [--all] [--markdown] OBJECT...

OBJECT is what nvcc compiled (`linked_neurons.cu.o`, `liblinked_neurons_cuda.so`), for sm_90 among others. FOLDER has
`cuobjdump` and `nvdisasm`; else they are looked for in PATH. Without --all the table has the kernels on the fast path
alone: whole vectors, elements counted in 32 bits.

- regs, blocks: registers a thread; blocks of 256 threads that a multiprocessor with 65 536 registers and 2048 threads
  holds (8 are all that it can hold).
- stack: bytes of local memory a thread, spills included.
- calls: calls in the kernel, wherever they stand.
- wide, narrow: accesses of the tensors' elements, of 128 bits and of fewer, on the fast path.
- flight: the most loads of elements that a thread has issued and not yet waited for, on the fast path.
- instr: instructions of the fast path for each element of the input (of the partial sums).

The fast path goes once through the kernel, or once round the loop that has the loads: of the ways through the code the
one that has the most 128-bit accesses of elements, and of those the shortest. So parameters, where there are any, are
one number for all of a vector, and there is no bias.
"""
import argparse
import dataclasses
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from sass_code import fast_path, find_tensors, functions, link, loads_in_flight, read_code

ARCHITECTURE = "sm_90"
FIRST_PARAMETER = 0x210  # where a kernel's parameters start in the constant bank
TENSORS = range(FIRST_PARAMETER, FIRST_PARAMETER + 32)  # the tensors' pointers, first in both structs of arguments
TYPES = {"float": 4, "double": 8, "Half": 2, "BFloat16": 2}


@dataclasses.dataclass
class Kernel:
    """The facts of one kernel."""
    symbol: str
    name: str = ""  # forward_kernel, ...
    arguments: tuple = ()  # of its template
    registers: int = 0
    stack: int = 0
    shared: int = 0
    local_accesses: int = 0
    calls: int = 0
    wide: int = 0
    narrow: int = 0
    in_flight: int = 0
    instructions: float = 0.0
    is_loop: bool = False

    @property
    def type(self):
        return next((each for each in self.arguments if each in TYPES), "")

    @property
    def is_fast(self):
        """Whether whole vectors are accessed and elements are counted in 32 bits."""
        if "unsigned long" in self.arguments:
            return False
        if self.name == "backward_sums_kernel":
            return any(each in ("4", "8") for each in self.arguments)
        return self.name == "add_partial_kernel" or "Vectorized" in self.arguments

    @property
    def label(self):
        shown = [each for each in self.arguments if each not in ("unsigned int", "Vectorized")]
        return f"{self.name}<{', '.join(shown)}>"

    @property
    def blocks(self):
        """Of 256 threads; registers are given to a warp in lots of 256."""
        of_warp = (self.registers * 32 + 255) // 256 * 256
        return min(8, 65536 // (8 * of_warp))


def template_arguments(demangled):
    """The name of a kernel and its template's arguments, without their namespaces."""
    text = re.sub(r"(\w+::)+", "", re.sub(r"^void ", "", demangled.split("(")[0]))
    name, _, rest = text.partition("<")
    arguments, depth, start = [], 0, 0
    rest = rest[:-1]
    for i, character in enumerate(rest + ","):
        depth += (character == "<") - (character == ">")
        if character == "," and depth == 0:
            arguments.append(rest[start:i].strip())
            start = i + 1
    return name, tuple(arguments)


def read_usage(text, kernels):
    for symbol, usage in re.findall(r"Function (\w+):\s*\n\s*(.*)", text):
        number = {key: int(value) for key, value in re.findall(r"(REG|STACK|SHARED|LOCAL):(\d+)", usage)}
        kernels[symbol] = Kernel(symbol, registers=number["REG"], stack=number["STACK"] + number["LOCAL"],
                                 shared=number["SHARED"])


def examine(kernel, body, labels):
    size = TYPES.get(kernel.type, 4)
    adds = kernel.name == "add_partial_kernel"
    pointers = range(FIRST_PARAMETER, FIRST_PARAMETER + 8) if adds else TENSORS
    link(body, labels)
    find_tensors(body, pointers)

    def is_wide(each):
        return each.of_tensor and (adds or each.bytes == 16)

    path, kernel.is_loop = fast_path(body, is_wide)
    kernel.calls = sum(each.opcode.startswith("CALL") for each in body)
    kernel.local_accesses = sum(each.opcode.startswith(("LDL", "STL")) for each in body)
    kernel.wide = sum(each.of_tensor and each.bytes == 16 for each in path)
    kernel.narrow = sum(each.of_tensor and each.bytes != 16 for each in path)
    kernel.in_flight = loads_in_flight(path, kernel.is_loop, is_wide)
    moved = [each.bytes for each in path if is_wide(each) and (each.is_load if adds else each.is_store)]
    elements = sum(moved) / size / (2 if kernel.name == "forward_kernel" else 1)
    kernel.instructions = len(path) / elements if elements else float("nan")


def facts(objects, tools=None, wanted=lambda kernel: kernel.is_fast):
    """Those of the kernels in all objects that are wanted."""
    found = {}
    for tool in ("cuobjdump", "nvdisasm"):
        found[tool] = str(Path(tools, tool).resolve()) if tools else shutil.which(tool)
        if not found[tool] or not Path(found[tool]).exists():
            sys.exit(f"no {tool} in {tools or 'PATH'}")
    run = {"check": True, "text": True, "stdout": subprocess.PIPE}
    environment = {"PATH": f"{Path(found['nvdisasm']).parent}:/usr/bin:/bin"}
    kernels, code = {}, {}
    for path in objects:
        usage = subprocess.run([found["cuobjdump"], "-arch", ARCHITECTURE, "-res-usage", path], env=environment, **run)
        read_usage(usage.stdout, kernels)
        with tempfile.TemporaryDirectory() as folder:
            subprocess.run([found["cuobjdump"], "-arch", ARCHITECTURE, "-xelf", "all", Path(path).resolve()],
                           cwd=folder, env=environment, **run)
            for cubin in sorted(Path(folder).iterdir()):
                code.update(functions(subprocess.run([found["nvdisasm"], "-c", cubin], **run).stdout))
    names = subprocess.run(["c++filt"], input="\n".join(kernels), **run).stdout.splitlines()
    for kernel, name in zip(kernels.values(), names):
        kernel.name, kernel.arguments = template_arguments(name)
    chosen = [kernel for kernel in kernels.values() if wanted(kernel)]
    for kernel in chosen:
        examine(kernel, *read_code(code[kernel.symbol]))
    return sorted(chosen, key=lambda kernel: (kernel.name, kernel.arguments))


COLUMNS = {
    "kernel": lambda kernel: kernel.label,
    "regs": lambda kernel: kernel.registers,
    "blocks": lambda kernel: kernel.blocks,
    "stack": lambda kernel: kernel.stack,
    "calls": lambda kernel: kernel.calls,
    "wide": lambda kernel: kernel.wide,
    "narrow": lambda kernel: kernel.narrow,
    "flight": lambda kernel: kernel.in_flight,
    "instr": lambda kernel: f"{kernel.instructions:.1f}",
}


def table(kernels, markdown=False):
    rows = [list(COLUMNS)] + [[str(of(kernel)) for of in COLUMNS.values()] for kernel in kernels]
    widths = [max(len(row[i]) for row in rows) for i in range(len(COLUMNS))]
    if markdown:
        rows.insert(1, ["---" if i == 0 else "---:" for i in range(len(COLUMNS))])
        return "\n".join("| " + " | ".join(row) + " |" for row in rows)
    return "\n".join("  ".join([row[0].ljust(widths[0])] + [cell.rjust(width) for cell, width in zip(row[1:], widths[1:])])
                     for row in rows)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tools")
    parser.add_argument("--all", action="store_true")
    parser.add_argument("--markdown", action="store_true")
    parser.add_argument("object", nargs="+")
    given = parser.parse_args()
    chosen = facts(given.object, given.tools, lambda kernel: given.all or kernel.is_fast)
    print(table(chosen, given.markdown))
