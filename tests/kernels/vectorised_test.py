"""Whether the compiler has made vectors of the CPU loops: disassembles the compiled layers.

    vectorised_test.py layers.cpp.o [unittest's options]

Each loop, of each layer, number type and processor, is a named case. It has to have instructions on whole registers,
and none that a compiler writes where it takes the elements one by one: arithmetic of single floating-point numbers,
loads of single 16-bit numbers, shifts by a variable.
"""
import collections
import re
import subprocess
import sys
import unittest

LAYERS = ("ReLU", "PReLU", "SELU", "Swish")
NUMBERS = ("float", "double")
SHORT_NUMBERS = ("Half", "BFloat16")
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


for target in REGISTERS:
    for layer in LAYERS:
        for number in NUMBERS:
            add_case(f"ForwardBlocks<{layer}, {number}>", target)
            add_case(f"BackwardBlocks<{layer}, {number}, false>", target)
            if layer == "PReLU":
                add_case(f"BackwardBlocks<{layer}, {number}, true>", target)
    for number in SHORT_NUMBERS:
        add_case(f"ForwardBlocks<ReLU, {number}>", target)
        add_case(f"BackwardSelectBlocks<ReLU, {number}>", target)

if __name__ == "__main__":
    Vectorised.functions = functions(sys.argv.pop(1))
    unittest.main()
