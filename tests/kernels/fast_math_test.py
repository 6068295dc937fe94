"""Whether flags such as -Ofast can make the CPU loops wrong: they compute as without, or do not compile.

    fast_math_test.py INCLUDE COMPILER... [-- unittest's options]

INCLUDE is the folder of headers. Each set of flags is a named case for each compiler.
"""
import math
import os
import subprocess
import sys
import tempfile
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
WEIGHTS = (0.25, -0.5)
ARRIVING = (0.5, -2.0)
X = [*(i * 0.11 for i in range(-800, 801)), *(s * 10.0**e for s in (-1, 1) for e in range(-20, 0)),
     0.0, -0.0, math.inf, -math.inf, math.nan]

# The parts of -ffast-math with which a compiler computes otherwise than is written. g++ tells a program of all of
# them, clang of the second one only.
PARTS = ("-fassociative-math -fno-signed-zeros -fno-trapping-math", "-ffinite-math-only", "-fno-signed-zeros",
         "-freciprocal-math", "-funsafe-math-optimizations")
REFUSED = {"g++": ("-Ofast", "-O2 -ffast-math", *PARTS), "clang": ("-Ofast", "-O2 -ffast-math", PARTS[1])}
RIGHT = {
    "g++": ("-O3 -fno-trapping-math -fno-math-errno", "-Ofast -fno-fast-math", PARTS[0] + " -O2 -fno-fast-math",
            "-Ofast -fno-finite-math-only -fno-unsafe-math-optimizations"),
    "clang": ("-Ofast -fno-fast-math", "-Ofast -fno-finite-math-only -fno-unsafe-math-optimizations",
              f"-O2 {PARTS[0]} -ffp-contract=fast", "-O2 -funsafe-math-optimizations -ffp-contract=fast"),
}

LAMBDA = 1.0507009873554805
ALPHA = 1.6732632423543772


def sigmoid(z):
    return 1 / (1 + math.exp(-z)) if z > -700 else 0.0


def slope_of_swish(z):
    return sigmoid(z) * (1 + z * (1 - sigmoid(z)))


def sine(z):
    return math.sin(z) if math.isfinite(z) else math.nan


def cosine(z):
    return math.cos(z) if math.isfinite(z) else math.nan


def twins(g, slope):
    """The usual pair, g(z) and g(-z), and the derivatives of both."""
    return (g, lambda z, a: g(-z, a)), (slope, lambda z, a: -slope(-z, a))


# Both halves as functions of z and their weight, and the derivatives of these at finite numbers.
LAYERS = {
    "lk_relu": twins(lambda z, a: max(z, 0.0), lambda z, a: float(z > 0)),
    "lk_prelu": twins(lambda z, a: z if z > 0 else a * z, lambda z, a: 1.0 if z > 0 else a),
    "lk_selu": twins(lambda z, a: LAMBDA * z if z > 0 else LAMBDA * ALPHA * math.expm1(z),
                     lambda z, a: LAMBDA if z > 0 else LAMBDA * ALPHA * math.exp(z)),
    "lk_swish": twins(lambda z, a: z * sigmoid(z) if z > -math.inf else 0.0, lambda z, a: slope_of_swish(z)),
    "lk_sin_cos": ((lambda z, a: sine(z), lambda z, a: cosine(z)), (lambda z, a: cosine(z), lambda z, a: -sine(z))),
}


def is_close(actual, expected, bound):
    if math.isnan(expected) or math.isinf(expected):
        return math.isnan(actual) if math.isnan(expected) else actual == expected
    return abs(actual - expected) <= bound


def errors(lines):
    """Those that are not within the contract of tests/contract.h."""
    found = []
    for line in lines:
        layer, *numbers = line.split()
        x, pos, neg, grad = map(float.fromhex, numbers)
        halves, slopes = LAYERS[layer]
        good = True
        for actual, half, weight in zip((pos, neg), halves, WEIGHTS):
            expected = math.nan if math.isnan(x) else half(x, weight)
            unit = 0.0
            if layer not in ("lk_relu", "lk_prelu") and expected and math.isfinite(expected):
                unit = max(2.0**(math.frexp(expected)[1] - 24), 2.0**-126)
            good &= is_close(actual, expected, 4 * unit)
            if layer == "lk_prelu" and not math.isnan(x):
                good &= math.copysign(1, actual) == math.copysign(1, expected)
        if math.isfinite(x):
            expected = sum(arriving * slope(x, weight) for arriving, slope, weight in zip(ARRIVING, slopes, WEIGHTS))
            good &= is_close(grad, expected, 4 * 2.0**-23 * 1.8 * sum(map(abs, ARRIVING)))
        elif layer == "lk_relu" and math.isnan(x):
            good &= grad == ARRIVING[0] - ARRIVING[1]
        if not good:
            found.append(line)
    return found


class FastMath(unittest.TestCase):
    include = ""
    compilers = {}

    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)
        self.program = os.path.join(self.folder.name, "program")

    def compile(self, compiler, flags, source=os.path.join(HERE, "fast_math.cpp"), options=()):
        words = [compiler, "-std=c++17", f"-I{self.include}", f"-DWEIGHTS={WEIGHTS[0]}F,{WEIGHTS[1]}F",
                 f"-DARRIVING={ARRIVING[0]}F,{ARRIVING[1]}F", *flags.split(), *options, source, "-o", self.program]
        return subprocess.run(words, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)

    def run_program(self):
        result = subprocess.run([self.program, *map(str, X)], check=True, text=True, stdout=subprocess.PIPE)
        lines = result.stdout.splitlines()
        self.assertEqual(len(lines), len(LAYERS) * len(X))
        return errors(lines)

    def cases(self, table):
        return [(compiler, flags) for kind, compiler in self.compilers.items() for flags in table[kind]]

    def test_does_not_compile(self):
        for compiler, flags in self.cases(REFUSED):
            with self.subTest(compiler=compiler, flags=flags):
                result = self.compile(compiler, flags)
                self.assertNotEqual(result.returncode, 0)
                self.assertIn("Compile this file with -fno-fast-math behind that flag.", result.stdout)

    def test_computes_as_written(self):
        for compiler, flags in self.cases(RIGHT):
            with self.subTest(compiler=compiler, flags=flags):
                result = self.compile(compiler, flags)
                self.assertEqual(result.returncode, 0, result.stdout)
                self.assertEqual(self.run_program(), [])

    def test_stops_nobody_who_compiles_no_loop(self):
        source = os.path.join(self.folder.name, "headers.cpp")
        with open(source, "w", encoding="utf-8") as file:
            file.write("#include <linked_neurons/cpu/blocks.h>\n#include <linked_neurons/activation/all.h>\n")
        for compiler, flags in self.cases(REFUSED):
            with self.subTest(compiler=compiler, flags=flags):
                result = self.compile(compiler, flags, source, ["-c", "-Wall", "-Wextra", "-Wpedantic", "-Werror"])
                self.assertEqual(result.returncode, 0, result.stdout)

    def test_sees_what_would_be_wrong(self):
        """The control: g++, told that nothing is the matter."""
        if "g++" not in self.compilers:
            self.skipTest("no g++")
        told = ["-U__FAST_MATH__", "-U__FINITE_MATH_ONLY__", "-U__GCC_IEC_559"]
        for flags in ("-Ofast", "-O2 " + PARTS[0]):
            with self.subTest(flags=flags):
                result = self.compile(self.compilers["g++"], flags, options=told)
                self.assertEqual(result.returncode, 0, result.stdout)
                self.assertNotEqual(self.run_program(), [])


def kind_of(compiler):
    said = subprocess.run([compiler, "--version"], check=True, text=True, stdout=subprocess.PIPE).stdout
    return "clang" if "clang" in said else "g++"


if __name__ == "__main__":
    split = sys.argv.index("--") if "--" in sys.argv else len(sys.argv)
    FastMath.include, *names = sys.argv[1:split]
    FastMath.compilers = {kind_of(name): name for name in names}
    unittest.main(argv=[sys.argv[0], *sys.argv[split + 1:]])
