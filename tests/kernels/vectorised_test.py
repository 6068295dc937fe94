"""Whether the compiler has made vectors of the CPU loops: disassembles the compiled layers.

    vectorised_test.py activation/all.h activation/optional.h -- OBJECT...

Each loop, of each layer, number type and processor, is a named case. It has to have instructions on whole registers,
and none that a compiler writes where it takes the elements one by one: arithmetic of single floating-point numbers,
loads of single 16-bit numbers, shifts by a variable.
"""
import collections
import re
import subprocess
import sys
import unittest
from pathlib import Path

# Activations that use a function of the C library that takes one element at a time (see math.h): they have no vectors.
ONE_BY_ONE = ()
# Those whose backward starts from the input, and which need no other loop for that.
FROM_INPUT = ("Hardswish", "Mish")
NUMBERS = ("float", "double")
REGISTERS = {"avx2": "%ymm", "avx512": "%zmm"}
SCALAR = re.compile(r"v(add|sub|mul|div|fn?m(add|sub)\w+|sqrt)s[sd] |movzwl +\S*\(|sh[lr]x? +%cl,")


def functions(path):
    """The instructions of each function."""
    text = subprocess.run(["objdump", "--disassemble", "--no-show-raw-insn", "--demangle", path], check=True, text=True,
                          stdout=subprocess.PIPE).stdout
    found = collections.defaultdict(list)
    name = None
    for line in text.splitlines():
        if start := re.match(r"[0-9a-f]+ <(.*)>:$", line):
            name = re.sub(r"\w+::", "", start[1])
        elif instruction := re.match(r" +[0-9a-f]+:\t(.*)", line):
            found[name].append(instruction[1])
    return found


class Vectorised(unittest.TestCase):
    functions = {}

    def check(self, loop, target):
        of_loop = [body for name, body in self.functions.items() if f"run_{target}<{loop} >(" in name]
        self.assertEqual(len(of_loop), 1, f"{loop} for {target}")
        self.assertTrue(any(REGISTERS[target] in each for each in of_loop[0]))
        self.assertEqual([each for each in of_loop[0] if SCALAR.match(each)], [])


def add_case(loop, target):
    name = re.sub(r"\W+", "_", f"test {loop} {target}").rstrip("_")
    setattr(Vectorised, name, lambda self: self.check(loop, target))


def add_cases(activation, found):
    """The loops that every activation has, and those that only some have: with the gradients of weights, and of 16-bit
    numbers that are not converted."""
    from_input = activation if activation in FROM_INPUT else f"Recomputed<{activation}>"
    loops = {f"{loop}>" for number in NUMBERS for loop in (f"ForwardBlocks<{activation}, {number}",
                                                           f"BackwardBlocks<{activation}, {number}, false",
                                                           f"BackwardBlocks<{from_input}, {number}, false")}
    loops |= {loop for loop in found if re.match(rf"\w+<({activation}|{from_input}), ", loop)}
    for target in REGISTERS:
        for loop in sorted(loops):
            add_case(loop, target)


if __name__ == "__main__":
    split = sys.argv.index("--")
    all_activations = "".join(Path(path).read_text() for path in sys.argv[1:split])
    for path in sys.argv[split + 1:]:
        Vectorised.functions.update(functions(path))
    sys.argv[1:] = []
    found = {loop[1] for name in Vectorised.functions if (loop := re.search(r"run_\w+<(\w+<.*>) >\(", name))}
    for activation in re.findall(r"^ +use\((\w+), \w+, \w+\)", all_activations, re.M):
        if activation not in ONE_BY_ONE:
            add_cases(activation, found)
    unittest.main()
