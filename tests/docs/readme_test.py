"""README.md is short, and its program, got by copying, compiles and trains.

    python3 readme_test.py <the checkout>

LibTorch is in CMAKE_PREFIX_PATH, as for a reader who has one.
"""

import re
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

from blocks import FENCE, blocks_of

MOST_WORDS = 900


class Readme(unittest.TestCase):
    def test_is_short(self):
        text = FENCE.sub("", README.read_text())
        self.assertLessEqual(len(text.split()), MOST_WORDS)

    def test_its_program_trains(self):
        blocks = blocks_of(README)
        [program] = [block.text for block in blocks if block.is_program]
        [lists] = [block.text for block in blocks if block.language == "cmake"]
        [commands] = [block.text for block in blocks if "build/my_program" in block.text]
        with tempfile.TemporaryDirectory() as folder:
            Path(folder, "main.cpp").write_text(program)
            Path(folder, "CMakeLists.txt").write_text(lists)
            Path(folder, "linked_neurons").symlink_to(README.parent)
            result = subprocess.run(["sh", "-e"], input=commands, cwd=folder, text=True,
                                    stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        self.assertEqual(result.returncode, 0, result.stdout)
        losses = [float(loss) for loss in re.findall(r"^step \d+: loss (\S+)$", result.stdout, re.MULTILINE)]
        self.assertEqual(len(losses), 6, result.stdout)
        self.assertLess(losses[-1], losses[0] / 2)


if __name__ == "__main__":
    README = Path(sys.argv[1]).resolve() / "README.md"
    unittest.main(argv=sys.argv[:1], verbosity=2)
