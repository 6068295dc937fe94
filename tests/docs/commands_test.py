"""What the commands of README.md and of the site name exists, and their CMake lines configure.

    python3 commands_test.py <the checkout> <the build tree> <CMAKE_PREFIX_PATH> <page.md>...

A program's options are looked up in what it says to --help, presets in CMakePresets.json, targets and
programs in the build tree, variables in its cache. CMake's lines, where they are no whole
CMakeLists.txt, are put behind a program's.
"""

import json
import os
import re
import shlex
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

from blocks import blocks_of

PROJECT = """cmake_minimum_required(VERSION 3.25)
project(my_program LANGUAGES CXX)
add_executable(my_program main.cpp)
"""
LINK = re.compile(r"\]\((?!https?:|#)([^)#]+)[^)]*\)")


def output(*command, **options):
    result = subprocess.run(command, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                            **options)
    if result.returncode != 0:
        raise AssertionError(f"{shlex.join(command)} failed:\n{result.stdout}")
    return result.stdout


def over_blocks(language):
    """Runs a test for each block of a language, as subtests."""

    def decorate(test):
        def run(self):
            for block in (block for page in PAGES for block in blocks_of(page)):
                if block.language == language:
                    with self.subTest(f"{block.page}.md:{block.line}"):
                        if block.reason:
                            print(f"{block.page}.md:{block.line} is left out: {block.reason}")
                        else:
                            test(self, block)

        return run

    return decorate


class Commands(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.presets = json.loads((SOURCE / "CMakePresets.json").read_text())
        listed = output("cmake", "--build", str(BUILD), "--target", "help")
        cls.targets = set(re.findall(r"[^\s:]+", listed))
        cls.variables = set(re.findall(r"^(\w+):", (BUILD / "CMakeCache.txt").read_text(), re.MULTILINE))
        cls.variables.add("CMAKE_PREFIX_PATH")

    @over_blocks("sh")
    def test_commands_name_what_exists(self, block):
        for line in block.text.replace("\\\n", "").splitlines():
            line = re.sub(r"\$\(.*\)", "", line)
            for command in re.split("&&", re.sub(r"\s#.*", "", line)):
                words = [word for word in shlex.split(command) if word != "export"]
                while words and re.match(r"\w+=", words[0]):
                    words.pop(0)  # the command's environment
                if words:
                    self.check(*words)

    def check(self, program, *arguments):
        built = re.fullmatch(r"build/(\w+)/(.*)", program)
        if program == "cmake":
            self.check_cmake(list(arguments))
        elif built:
            self.check_preset(built[1])
            self.check_options(BUILD / built[2], arguments)
        elif program == "build/my_program":
            pass  # the reader's
        elif (program, *arguments[:3]) == ("python3", "-m", "pip", "install"):
            self.assertTrue((SOURCE / arguments[3] / "pyproject.toml").exists(), arguments[3])
        elif (program, *arguments[:1]) == ("python3", "-m"):
            main = SOURCE / "python" / arguments[1] / "__main__.py"
            self.assertIn(f'"{arguments[2]}"', main.read_text())
        elif program == "python3" and arguments[0] != "-c":
            self.check_options(SOURCE / arguments[0], arguments[1:], sys.executable)
        elif program in ("python3", "g++"):
            pass  # consumer_by_hand runs the line
        elif program == "bash":
            self.assertTrue((SOURCE / arguments[0]).exists(), arguments[0])
        elif program == "ctest":
            asked = arguments[arguments.index("-R") + 1]
            listed = output("ctest", "--test-dir", str(BUILD), "-N", "-R", asked)
            self.assertNotIn("Total Tests: 0", listed)
        else:
            self.fail(f"{program}: no test knows this command")

    def check_cmake(self, arguments):
        for option, value in zip(arguments, arguments[1:]):
            if option == "--preset":
                kind = "workflowPresets" if "--workflow" in arguments else "configurePresets"
                self.check_preset(value, kind)
            elif option in ("--build", "--install") and value != "build":
                self.check_preset(value.removeprefix("build/"))
            elif option == "-D":
                self.assertIn(value.split("=")[0], self.variables)
        if "--target" in arguments:
            for target in arguments[arguments.index("--target") + 1:]:
                self.assertIn(target, self.targets)

    def check_preset(self, name, kind="configurePresets"):
        self.assertIn(name, [preset["name"] for preset in self.presets[kind]])

    def check_options(self, program, arguments, *interpreter):
        said = ""
        words = [argument.split("=")[0] for argument in arguments if argument != "--help"]
        for subcommand in [[]] + [[word] for word in words if re.fullmatch("[a-z]+", word)][:1]:
            said += output(*interpreter, str(program), *subcommand, "--help")
        for word in words:
            if word.startswith("--"):
                self.assertIn(word, said)


class CMakeLines(unittest.TestCase):
    @over_blocks("cmake")
    def test_lines_configure(self, block):
        with tempfile.TemporaryDirectory() as folder:
            folder = Path(folder)
            (folder / "main.cpp").touch()
            (folder / "linked_neurons").symlink_to(SOURCE)
            is_whole = "project(" in block.text
            (folder / "CMakeLists.txt").write_text(block.text if is_whole else PROJECT + block.text)
            said = output("cmake", "-B", "build", "-D", "LINKED_NEURONS_CUDA=OFF", cwd=folder,
                          env={**os.environ, "CMAKE_PREFIX_PATH": PREFIXES})
            self.assertRegex(said, r"linked_neurons [0-9.]+: LibTorch")


class Fences(unittest.TestCase):
    """That no test overlooks a block."""

    def test_all_are_known(self):
        for page in PAGES:
            with self.subTest(page.name):
                blocks = blocks_of(page)
                self.assertLessEqual({block.language for block in blocks}, {"cpp", "cmake", "python", "sh"})
                fences = re.findall(r"^ *(```|~~~)(?!\{)", page.read_text(), re.MULTILINE)
                directives = re.findall(r"^```\{", page.read_text(), re.MULTILINE)
                self.assertEqual(len(fences), 2 * len(blocks) + len(directives))


class Layers(unittest.TestCase):
    def test_all_are_described(self):
        """Those of the headers' list: in README.md's table, and with a plot on the layers' page."""
        listed = (SOURCE / "include/linked_neurons/activation/all.h").read_text()
        layers = re.findall(r"^  use\(\w+, (\w+), (\w+)\)", listed, re.MULTILINE)
        self.assertGreater(len(layers), 3)
        for function, module in layers:
            self.assertIn(f"| `{module}` |", (SOURCE / "README.md").read_text())
            self.assertIn(f"```{{activation-plot}} {function}\n", (SOURCE / "docs/layers.md").read_text())


class Links(unittest.TestCase):
    """Sphinx looks at those of the site."""

    def test_readme_links_to_what_exists(self):
        links = LINK.findall((SOURCE / "README.md").read_text())
        self.assertGreater(len(links), 10)
        for link in links:
            self.assertTrue((SOURCE / link).exists(), link)


if __name__ == "__main__":
    *paths, PREFIXES = sys.argv[1:4]
    SOURCE, BUILD, *PAGES = (Path(path).resolve() for path in paths + sys.argv[4:])
    unittest.main(argv=sys.argv[:1], verbosity=2)
