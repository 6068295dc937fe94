#!/usr/bin/env python3
"""Times how long a file compiles that includes linked_neurons, against one that includes
torch/torch.h and does the same with torch::relu.

    compile_time.py --include build/pypi/torch-2.11.0/lib/python3.11/site-packages/torch/include

Prints a page of Markdown: the compiler's processor time, the median of the runs, which take turns.
"""

import argparse
import re
import resource
import shlex
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from activations import HEADERS, MODULES
from machine import cpu

BASELINE = "torch/torch.h"
# What the CMake target defines, whose build tree has the layers compiled once.
TARGET = "-DLINKED_NEURONS_WITH_LAYERS"
PROGRAM = """\
#include <torch/torch.h>
{include}
int main() {{
  const auto x = torch::randn({{2, 4, 3, 3}}, torch::requires_grad());
  torch::relu(x).sum().backward();
  {use}
}}
"""


def programs():
    """Texts and further options by name."""
    include = "#include <linked_neurons/linked_neurons.h>"
    use = {layer: f"linked_neurons::{layer} {layer.lower()};\n  {layer.lower()}(x).sum().backward();"
           for layer in MODULES}
    every = PROGRAM.format(include=include, use="\n  ".join(use.values()))
    texts = {BASELINE: (PROGRAM.format(include="", use=""), ()),
             "included only": (PROGRAM.format(include=include, use=""), ()),
             "all layers used, CMake target": (every, (TARGET,)),
             "all layers used": (every, ())}
    for layer in MODULES:
        texts[f"{layer} used"] = PROGRAM.format(include=include, use=use[layer]), ()
    return texts


def seconds(command):
    """Of processor time, all of the command's children included."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(command, check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def output(command, text=None):
    return subprocess.run(
        command, check=True, input=text, stdout=subprocess.PIPE, text=True).stdout.splitlines()


def libtorch_version(compiler, folders):
    """As its headers have it."""
    parts = ".".join(f"TORCH_VERSION_{part}" for part in ("MAJOR", "MINOR", "PATCH"))
    text = f"#include <torch/version.h>\n{parts}\n"
    return output([compiler, *folders, "-E", "-P", "-x", "c++", "-"], text)[-1].replace(" ", "")


def parsed_arguments():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--include", action="append", type=Path, required=True, metavar="FOLDER",
                        help="LibTorch's headers; may be given more than once")
    parser.add_argument("--compiler", default="g++")
    parser.add_argument("--options", default="-std=c++17 -O2", help="default: %(default)s")
    parser.add_argument("--filter", default="", metavar="REGEX", help="only the cases that match")
    parser.add_argument("--runs", type=int, default=3, help="default: %(default)s")
    return parser.parse_args()


def main():
    args = parsed_arguments()
    folders = [f"-I{HEADERS}"]
    for folder in args.include:
        # The frontend's headers have a folder of their own inside LibTorch's.
        folders += ["-isystem", str(folder), "-isystem", str(folder / "torch/csrc/api/include")]
    with tempfile.TemporaryDirectory() as name:
        sources = {}
        cases = {case: program for case, program in programs().items()
                 if case == BASELINE or re.search(args.filter, case)}
        for index, (case, (text, _)) in enumerate(cases.items()):
            sources[case] = Path(name) / f"{index}.cpp"
            sources[case].write_text(text)
        times = {case: [] for case in sources}
        for run in range(args.runs):
            for case, source in sources.items():
                time = seconds([args.compiler, *shlex.split(args.options), *cases[case][1], *folders,
                                "-c", str(source), "-o", f"{source}.o"])
                times[case].append(time)
                print(f"[{run + 1}/{args.runs}] {case}: {time:.1f} s", file=sys.stderr, flush=True)
    print("# What including the headers costs at compile time\n")
    print(f"{cpu()}, {output([args.compiler, '--version'])[0]}, "
          f"LibTorch {libtorch_version(args.compiler, folders)}\n")
    print(f"`{args.compiler} {args.options}`, the compiler's processor time, "
          f"medians of {args.runs} runs:\n")
    print("| a file with | s | times as long |\n| --- | ---: | ---: |")
    medians = {case: statistics.median(each) for case, each in times.items()}
    for case, time in medians.items():
        print(f"| {case} | {time:.1f} | {time / medians[BASELINE]:.2f}× |")


if __name__ == "__main__":
    main()
