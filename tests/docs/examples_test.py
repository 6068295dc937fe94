"""Runs the C++ and the Python of README.md and of the site, each page from its first block to its last.

    python examples_test.py <program of the C++ blocks> <the build tree> <page.md>...

A page's blocks run in a fresh folder, in which build/test is the build tree; so what one block
writes another can read. WITHOUT, in the environment, has words: Python blocks with one of them are
left out. Without torch all of Python is, and so are the pages that have any.
"""

import importlib.util
import os
import subprocess
import sys
import tempfile
import types
import unittest
from pathlib import Path

from blocks import blocks_of

HAS_TORCH = importlib.util.find_spec("torch") is not None
WITHOUT = os.environ.get("WITHOUT", "").split()


class Examples(unittest.TestCase):
    def run_page(self, path):
        blocks = [block for block in blocks_of(path) if block.language in ("cpp", "python")]
        if not HAS_TORCH and any(block.language == "python" for block in blocks):
            self.skipTest("no torch")
        # A module, since torch.compile looks names up in it.
        module = sys.modules[f"docs_{path.stem}"] = types.ModuleType(f"docs_{path.stem}")
        for block in blocks:
            reason = block.reason
            if block.language == "python" and any(word in block.text for word in WITHOUT):
                reason = f"there is none of {WITHOUT}"
            if reason:
                print(f"{path}:{block.line} is left out: {reason}")
            elif block.language == "python":
                # On the page's lines, where TorchScript reads the source of a class.
                exec(compile("\n" * (block.line - 1) + block.text, path, "exec"), module.__dict__)
            elif "declarations" not in block.words:
                test = f"--gtest_filter={block.page}.{block.name}"
                result = subprocess.run([PROGRAM, test], capture_output=True, text=True)
                self.assertIn("[  PASSED  ] 1 test", result.stdout, f"{path}:{block.line}\n"
                              f"{result.stdout}{result.stderr}")

    def test_every_page(self):
        for path in PAGES:
            with self.subTest(path.name), tempfile.TemporaryDirectory() as folder:
                build = Path(folder, "build", "test")
                build.parent.mkdir()
                build.symlink_to(BUILD)
                os.chdir(folder)
                self.run_page(path)


if __name__ == "__main__":
    PROGRAM, BUILD, *PAGES = (Path(argument).resolve() for argument in sys.argv[1:])
    unittest.main(argv=sys.argv[:1], verbosity=2)
