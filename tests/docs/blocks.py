"""The fenced code blocks of README.md and of the site's pages.

    python blocks.py <page.md> <output.cpp>

writes the C++ of a page as one source file of GoogleTest cases. The language of a fence says what it
is: cpp, cmake, sh, python. Each block is a fragment of statements, or has all of a program with its
main(); with the word "declarations" behind the language it stays outside of a function, and the
page's later blocks know what it declares. The blocks of a page share a namespace.

An HTML comment in the line before the fence, <!-- not compiled: reason --> (or: not run), leaves a
block out.
"""

import re
import sys
from dataclasses import dataclass
from pathlib import Path

FENCE = re.compile(r"^(?:<!-- not (?:compiled|run): (?P<reason>.*) -->\n)?"
                   r"```(?P<language>[a-z]+)(?: (?P<words>[^\n]*))?\n(?P<text>.*?)^```$",
                   re.MULTILINE | re.DOTALL)
PREAMBLE = """#include <linked_neurons/linked_neurons.h>
#include <gtest/gtest.h>
#include <torch/torch.h>
"""


@dataclass
class Block:
    page: str  # the page's name, without .md
    line: int  # of its first line, in the page
    language: str
    words: list
    text: str
    reason: str  # why it is left out, or None

    @property
    def name(self):
        return f"line_{self.line}"

    @property
    def is_program(self):
        return "int main(" in self.text


def blocks_of(path):
    page = path.read_text()
    return [Block(path.stem, page.count("\n", 0, match.start("text")) + 1, match["language"],
                  (match["words"] or "").split(), match["text"], match["reason"])
            for match in FENCE.finditer(page)]


def cpp_source(path):
    """What a page's C++ compiles as; its errors name the page's lines."""
    includes, body = [PREAMBLE], []
    for block in blocks_of(path):
        if block.language != "cpp" or block.reason:
            continue
        lines = block.text.splitlines()
        # Outside of the namespace.
        includes += [line for line in lines if line.startswith("#include")]
        text = "\n".join("" if line.startswith("#include") else line for line in lines)
        at = f'#line {block.line} "{path}"'
        test = f"TEST({block.page}, {block.name})"
        if block.is_program:
            text = text.replace("int main(", f"void {block.name}(")
            body.append(f"{at}\n{text}\n{test} {{\n  {block.name}();\n}}")
        elif "declarations" in block.words:
            body.append(f"{at}\n{text}")
        else:
            body.append(f"{test} {{\n{at}\n{text}\n}}")
    head = "\n".join(dict.fromkeys(includes))
    return head + f"\nnamespace docs_{path.stem} {{\nnamespace {{\n" + "\n".join(body) + "\n}\n}\n"


if __name__ == "__main__":
    Path(sys.argv[2]).write_text(cpp_source(Path(sys.argv[1])))
