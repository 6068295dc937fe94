"""The Python package's operators: built at first use, once, and found again.

    python test_build.py <a folder>

is run by a Python that has the package. The folder's cache/ has the operators afterwards.
"""

import os
import shutil
import subprocess
import sys
import unittest
from pathlib import Path

USE = """
import torch, linked_neurons_torch as ln
assert ln.LKReLU()(torch.tensor([[-1.0, 3.0]])).tolist() == [[0, 3, 1, 0]]
print(ln.load())
"""
USE_OPTIONAL = """
import torch, linked_neurons_torch as ln
assert ln.LKLeakyReLU(0.5)(torch.tensor([[-1.0, 3.0]])).tolist() == [[-0.5, 3, 1, -1.5]]
print(ln.load(optional=True))
"""
BUILD = ("-m", "linked_neurons_torch", "build")


def start(*arguments, **environment):
    """A Python process, which warns of nothing but what the package warns of."""
    return subprocess.Popen(
        [sys.executable, "-W", "ignore", "-W", "always::RuntimeWarning", *arguments], text=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, env={**os.environ, **environment})


def run(*arguments, **environment):
    process = start(*arguments, **environment)
    said, told = process.communicate()
    return process.returncode, said.strip(), told


class BuildTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        """Two processes use a layer at once, and there is no operator yet."""
        shutil.rmtree(FOLDER, ignore_errors=True)
        (FOLDER / "no_tools").mkdir(parents=True)
        cls.cache = FOLDER / "cache"
        processes = [start("-c", USE, LINKED_NEURONS_CACHE=str(cls.cache)) for _ in range(2)]
        cls.first_uses = [process.communicate() for process in processes]
        cls.libraries = [*cls.cache.rglob("*.so")]
        cls.optional_use = run("-c", USE_OPTIONAL, LINKED_NEURONS_CACHE=str(cls.cache))

    def test_parallel_first_uses_build_once(self):
        self.assertEqual([said for said, _ in self.first_uses], ["True\n"] * 2, self.first_uses)
        [line] = [told for _, told in self.first_uses if told]
        self.assertRegex(line, r"^linked_neurons_torch: compiling the operators for torch .* into .*, once; this takes "
                               r".* \.\.\. done in \d+ s\n$")
        self.assertEqual(len(self.libraries), 1)
        self.assertEqual([*self.cache.rglob("building-*")], [])

    def test_optional_layers_are_built_at_their_first_use(self):
        status, said, told = self.optional_use
        self.assertEqual((status, said), (0, "True"), told)
        self.assertRegex(told, r"^linked_neurons_torch: compiling the operators of the layers on request .*\n$")
        optional = self.libraries[0].with_name("linked_neurons_optional_torch_ops.so")
        self.assertEqual({*self.cache.rglob("*.so")}, {*self.libraries, optional})
        found = run(*BUILD, "--optional", LINKED_NEURONS_CACHE=str(self.cache))
        self.assertEqual(found, (0, f"{self.libraries[0]}\n{optional}", ""))

    def test_the_command_finds_what_is_built(self):
        self.assertEqual(run(*BUILD, LINKED_NEURONS_CACHE=str(self.cache)), (0, str(self.libraries[0]), ""))

    def test_what_is_built_needs_no_compiler(self):
        found = run("-c", USE, LINKED_NEURONS_CACHE=str(self.cache), PATH=str(FOLDER / "no_tools"))
        self.assertEqual(found, (0, "True", ""))

    def test_a_library_can_be_named(self):
        environment = {"LINKED_NEURONS_CACHE": str(FOLDER / "none"), "PATH": str(FOLDER / "no_tools")}
        named = run("-c", USE, LINKED_NEURONS_LIBRARY=str(self.libraries[0]), **environment)
        self.assertEqual(named, (0, "True", ""))
        status, _, told = run("-c", USE, LINKED_NEURONS_LIBRARY="/no/library.so", **environment)
        self.assertEqual(status, 1)
        self.assertIn("OSError: ", told)

    def test_importing_builds_nothing_and_loads_no_compiler(self):
        code = """if True:
            import linked_neurons_torch, sys
            print({"torch._dynamo", "torch.utils.cpp_extension"} & {*sys.modules})
        """
        self.assertEqual(run("-c", code, LINKED_NEURONS_CACHE=str(FOLDER / "none")), (0, "set()", ""))
        self.assertFalse((FOLDER / "none").exists())

    def test_what_keeps_from_building_is_named(self):
        (FOLDER / "file").touch()
        compiler = FOLDER / "broken"
        compiler.write_text(
            "#!/bin/sh\n[ $1 = --version ] && echo broken 1.0 && exit\necho fatal error: broken >&2\nexit 1\n")
        compiler.chmod(0o755)
        for expected, environment in (
            ("for want of a C++ compiler",
             {"PATH": str(FOLDER / "no_tools"), "LINKED_NEURONS_CACHE": str(FOLDER / "none")}),
            ("LINKED_NEURONS_CACHE names another folder", {"LINKED_NEURONS_CACHE": str(FOLDER / "file/cache")}),
            ("could not be compiled: fatal error: broken (see ",
             {"CXX": str(compiler), "LINKED_NEURONS_CACHE": str(FOLDER / "of_broken")}),
        ):
            with self.subTest(expected):
                status, said, told = run("-c", USE, **environment)
                self.assertEqual((status, said), (0, "False"))
                self.assertEqual(told.count("RuntimeWarning"), 1, told)
                self.assertIn(expected, told)
        status, said, told = run(*BUILD, **environment)
        self.assertEqual((status, said), (1, ""))
        self.assertIn(expected, told)

    def test_missing_cuda_kernels_are_told_of(self):
        device = "from linked_neurons_torch import _build; _build.DRIVER = _build.INCLUDE"  # what exists
        code = f"{device}\n{USE}\nprint(torch.version.cuda)"
        status, said, told = run("-c", code, LINKED_NEURONS_CACHE=str(self.cache))
        self.assertEqual((status, said.split()[0]), (0, "True"))
        warnings = told.count("RuntimeWarning: linked_neurons_torch: the operators have no CUDA kernels, for want of")
        self.assertEqual(warnings, 0 if said.endswith("None") else 1)

    def test_an_older_torch_is_refused(self):
        code = """if True:
            from torch import torch_version
            torch_version.__version__ = torch_version.TorchVersion("2.6.0+cu124")
            import linked_neurons_torch
        """
        status, _, told = run("-c", code)
        self.assertEqual(status, 1)
        self.assertRegex(told, r"ImportError: linked_neurons_torch needs torch [\d.]+ or later, and this is torch 2\.6")


if __name__ == "__main__":
    FOLDER = Path(sys.argv[1]).absolute()
    unittest.main(argv=sys.argv[:1], verbosity=2)
