"""Whether the machine code of the kernels on the fast path is what it was: 128-bit accesses, no local memory, no calls,
at most so many registers, at least so many loads in flight.

    sass_test.py [--update] TOOLS OBJECT...

TOOLS is the folder of cuobjdump and nvdisasm. The limits stand in sass_limits.json; --update writes there what is
measured, to be looked through and committed with the change of the kernels that made it so.
"""
import json
import sys
import unittest
from pathlib import Path

from sass_facts import facts

LIMITS = Path(__file__).with_name("sass_limits.json")


def family(kernel):
    """What a limit is of: the kernel, its activation and its type, and the flags of its template."""
    return kernel.label


def limits_of(kernel):
    return {"registers": kernel.registers, "in flight": kernel.in_flight, "stack": kernel.stack, "calls": kernel.calls,
            "narrow": kernel.narrow}


def write(kernels):
    lines = [f"  {json.dumps(family(kernel))}: {json.dumps(limits_of(kernel))}" for kernel in kernels]
    LIMITS.write_text("{\n" + ",\n".join(lines) + "\n}\n")


class Sass(unittest.TestCase):
    maxDiff = None

    def check(self, kernel, limits):
        measured = limits_of(kernel)
        for what in ("registers", "stack", "calls", "narrow"):
            self.assertLessEqual(measured[what], limits[what], what)
        self.assertGreaterEqual(measured["in flight"], limits["in flight"], "in flight")
        if kernel.name != "add_partial_kernel":
            self.assertGreater(kernel.wide, 0, "128-bit accesses")


def add_case(kernel, limits):
    name = "".join(each if each.isalnum() else "_" for each in family(kernel))
    setattr(Sass, f"test_{name}", lambda self: self.check(kernel, limits))


if __name__ == "__main__":
    update = "--update" in sys.argv
    tools, *objects = [each for each in sys.argv[1:] if each != "--update"]
    kernels = facts(objects, tools)
    if update:
        write(kernels)
        sys.exit()
    all_limits = json.loads(LIMITS.read_text())
    setattr(Sass, "test_the_limits_are_of_these_kernels",
            lambda self: self.assertEqual(sorted(map(family, kernels)), sorted(all_limits)))
    for each in kernels:
        if family(each) in all_limits:
            add_case(each, all_limits[family(each)])
    unittest.main(argv=sys.argv[:1])
