#!/usr/bin/env python3
"""Turns the JSON files of the benchmark programs, and of compare_torch_compile.py, into a page of
tables and plots.

    report.py results/my-machine/*.json                     # results/my-machine/report.md and PNGs
    report.py --readme README.md results/my-machine/*.json  # and the short table in README.md

A ratio is the fastest rival's time over ours, and always one between medians of one run, that is of
one file. Needs matplotlib, unless --no-plots is given.
"""

import argparse
import sys
from pathlib import Path

from layer_tables import layer_sections
from network_tables import network_sections
from readme import readme_lines
from runs import Run
from tables import number, table

BEGIN = "<!-- benchmarks:begin -->"
END = "<!-- benchmarks:end -->"
FACTS = {"gpu": "GPU", "cuda": "CUDA", "cpu": "CPU", "cpu_capability": "its vectors",
         "threads": "CPU threads", "libtorch": "LibTorch", "python": "Python", "compiler": "compiler",
         "linked_neurons": "linked_neurons", "date": "date"}

NOTES = """\
Times are medians. A ratio is the time of the fastest rival in the same run over ours. The rivals
compute what ours does: "composed" is LibTorch's operators, cat(g(z), g(-z)), one after another;
"composed, cat first" is g(cat(z, -z)); "torch.compile" is that of composed. "% of the copy rate": the
time that LibTorch's `copy_` takes for as many bytes as the layer has to move at least, over the layer's
own. "Kept": what backward keeps beyond the layer's output. "Equal output": the other activation has
twice as many channels at its input, so that as many come out. In the plots `torch.compile`, which
compare_torch_compile.py measures apart, stands at its ratio to fused there. In networks "half" means
half the filters in front of a linked layer, so that the next layer is as wide as with any other
activation, and "full" as many filters as there.
"""


def page(runs, plots):
    """Of one machine's files; `plots`: names and titles."""
    lines = [f"# Benchmarks on {runs[0].machine}", "", NOTES]
    for name, title in plots:
        lines += [f"![{title}]({name})", ""]
    for run in runs:
        lines += [f"## {run.path.name}", ""]
        facts = [[name, str(run.facts[key])] for key, name in FACTS.items() if key in run.facts]
        lines += table(["", ""], facts, 2)
        if run.steps:
            cells = [[step["name"], step["result"], number(step["seconds"])] for step in run.steps]
            lines += ["### Steps", ""] + table(["step", "result", "s"], cells, 2)
        lines += layer_sections(run) + network_sections(run, runs)
        if run.failed:
            lines += ["### Failed", ""] + table(["case", "why"], run.failed.items(), 2)
    return "\n".join(lines).rstrip() + "\n"


def write_between_markers(path, lines):
    text = path.read_text()
    if text.count(BEGIN) != 1 or text.count(END) != 1 or text.index(BEGIN) > text.index(END):
        raise ValueError(f"{path}: expected one line {BEGIN} and one {END} behind it")
    before, rest = text.split(BEGIN)
    after = rest.split(END)[1]
    path.write_text("\n".join([before + BEGIN, "", *lines, ""]).rstrip("\n") + "\n\n" + END + after)


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("files", nargs="+", type=Path, help="what --benchmark_out= and --output wrote")
    parser.add_argument("--readme", type=Path, help=f"writes the short table between\n{BEGIN}\nand "
                                                    f"{END}")
    parser.add_argument("--no-plots", action="store_true", help="tables only")
    arguments = parser.parse_args()

    runs = [Run(path) for path in arguments.files]
    short = []
    for folder in dict.fromkeys(run.path.parent for run in runs):
        here = [run for run in runs if run.path.parent == folder]
        plots = []
        if not arguments.no_plots:
            from plots import plot_all
            plots = plot_all(here, folder)
        (folder / "report.md").write_text(page(here, plots))
        print(folder / "report.md")
        short += readme_lines(here)
    if arguments.readme:
        write_between_markers(arguments.readme, short)


if __name__ == "__main__":
    try:
        main()
    except (ValueError, OSError, ModuleNotFoundError) as error:
        sys.exit(f"report.py: {error}")
