"""Runs the C++ and the Python of README.md and of the site, each page from its first block to its last.

    python examples_test.py <program of the C++ blocks> <the build tree> <page.md>...

A page's blocks run in a fresh folder, in which build/test is the build tree; so what one block
writes another can read. WITHOUT, in the environment, has words: blocks with one of them are left out.
Without torch all of Python is, and so are the pages that have any.
"""

import importlib.util
import os
import subprocess
import sys
import tempfile
import types
import unittest
from itertools import groupby
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
        for language, group in groupby(filter(self.is_run, blocks), lambda block: block.language):
            if language == "cpp":
                self.run_cpp([block for block in group if "declarations" not in block.words])
            else:
                for block in group:
                    # On the page's lines, where TorchScript reads the source of a class.
                    text = "\n" * (block.line - 1) + block.text
                    exec(compile(text, path, "exec"), module.__dict__)

    def is_run(self, block):
        reason = block.reason
        if any(word in block.text for word in WITHOUT):
            reason = f"there is none of {WITHOUT}"
        if reason:
            print(f"{block.page}.md:{block.line} is left out: {reason}")
        return not reason

    def run_cpp(self, blocks):
        if blocks:
            tests = ":".join(f"{block.page}.{block.name}" for block in blocks)
            result = subprocess.run([PROGRAM, f"--gtest_filter={tests}"], capture_output=True, text=True)
            said = result.stdout + result.stderr
            self.assertEqual(result.returncode, 0, said)
            self.assertIn(f"[  PASSED  ] {len(blocks)} test", said)

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
