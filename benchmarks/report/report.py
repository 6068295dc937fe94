#!/usr/bin/env python3
"""Turns the JSON files of the benchmark programs, and of compare_torch_compile.py, into a page of
tables and plots.

    report.py results/my-machine/*.json                     # results/my-machine/report.md and PNGs
    report.py --readme README.md results/my-machine/*.json  # and the short tables in README.md

A ratio says how many times as fast ours is, and is always one between medians of one run, that is
of one file. Needs matplotlib, unless --no-plots is given.
"""

import argparse
import sys
from dataclasses import replace
from pathlib import Path

from compared import compared_tables, ratio_to
from runs import RIVALS, STEPS, Run, grouped
from tables import table
from titles import layer_title, network_title, title

BEGIN = "<!-- benchmarks:begin -->"
END = "<!-- benchmarks:end -->"
FACTS = {"gpu": "GPU", "cuda": "CUDA", "cpu": "CPU", "cpu_capability": "its vectors",
         "threads": "CPU threads", "libtorch": "LibTorch", "compiler": "compiler",
         "linked_neurons": "linked_neurons", "date": "date"}
MIB = 2**-20
README_SHAPES = ("8x64x28x28", "32x64x56x56", "256x64x56x56")  # in cache, larger, far larger


def number(value):
    """Three digits or more, without an exponent."""
    if value is None:
        return "–"
    value = max(value, float(f"{value:.3g}"))  # 99.96 becomes 100, not 100.0
    return f"{value:.0f}" if value >= 100 else f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def time(result, unit):
    return number(result and result.seconds / unit)


def ratio(other, ours):
    return f"{other.seconds / ours.seconds:.2f}×" if other and ours else "–"


def counter(result, name, factor=1):
    value = result.counters.get(name) if result else None
    return number(None if value is None else value * factor)


def composed_rows(layers, keys):
    """A row for each of our layers, and each other way to the same result."""
    rows = []
    for key in dict.fromkeys(replace(key, step=STEPS[-1]) for key in keys if key.fused):
        others = dict.fromkeys(
            other.variant for other in keys if not other.fused and other.biased == key.biased
            and (other.activation, other.shape) == (key.activation, key.shape))
        for variant in others:
            row = [key.shape, layer_title(key), title(variant.removesuffix("_bias"))]
            for step in STEPS:
                ours = layers.get(replace(key, step=step))
                other = layers.get(replace(key, step=step, variant=variant))
                row += [time(ours, 1e-6), time(other, 1e-6), ratio(other, ours),
                        counter(ours, "copy_percent")]
            kept = [next((layers[replace(key, step=step, variant=which)] for step in STEPS
                          if replace(key, step=step, variant=which) in layers), None)
                    for which in (key.variant, variant)]
            rows.append(row + [counter(result, "kept_bytes", MIB) for result in kept])
    return rows


def rival_rows(layers, keys):
    """Our layers against other activations that are as wide at the input, and at the output."""
    rows = []
    for key in filter(lambda key: key.fused, keys):
        # Twice as many channels come out of ours as go in.
        rivals = [layers.get(key.wider(factor).rival(rival)) for factor in (1, 2) for rival in RIVALS]
        if any(rivals):
            ours = layers[key]
            rows.append([key.shape, layer_title(key), time(ours, 1e-6)]
                        + [ratio(rival, ours) for rival in rivals])
    return rows


def format_rows(layers, keys):
    """Our layers over the same bytes in both memory formats, and channels last as a multiple of contiguous."""
    rows = []
    for key in dict.fromkeys(replace(key, step=STEPS[0]) for key in keys if key.fused):
        row = [key.shape, layer_title(key)]
        for step in STEPS:
            nchw, nhwc = (layers.get(replace(key, step=step, format=layout)) for layout in ("nchw", "nhwc"))
            row += [time(nchw, 1e-6), time(nhwc, 1e-6), ratio(nhwc, nchw)]
        rows.append(row)
    return rows


def format_sections(run):
    lines = []
    for (kind,), keys in grouped((key for key in run.layers if key.format == "nhwc"), "type").items():
        header = ["input", "layer"]
        for step in STEPS:
            header += [f"{title(step)}, nchw, µs", "nhwc, µs", "nhwc / nchw"]
        rows = format_rows(run.layers, keys)
        if rows:
            lines += [f"### Layers, {kind}: channels last against contiguous", ""] + table(header, rows, 2)
    return lines


def layer_sections(run):
    lines = []
    for (kind, layout), keys in grouped(run.layers, "type", "format").items():
        header = ["input", "layer", "against"]
        for step in STEPS:
            header += [f"{title(step)}, µs", "the other, µs", "ratio", "% of the copy rate"]
        rows = composed_rows(run.layers, keys)
        if rows:
            lines += [f"### Layers, {kind}, {layout}: fused against composed", ""]
            lines += table(header + ["kept, MiB", "the other keeps, MiB"], rows, 3)
        for (step,), at_step in grouped(keys, "step").items():
            rows = rival_rows(run.layers, at_step)
            if rows:
                lines += [f"### Layers, {kind}, {layout}, {title(step)}: against other activations", ""]
                lines += table(["input", "layer", "µs"] + [
                    f"{title(rival)}, {width}" for width in ("equal input", "equal output")
                    for rival in RIVALS], rows, 2)
    return lines


def network_sections(run):
    lines = []
    for (network, setting, batch), keys in grouped(
            run.networks, "network", "setting", "batch").items():
        rows = []
        for key in keys:
            result = run.networks[key]
            rows.append([network_title(key), time(result, 1e-3),
                         ratio(run.networks.get(key.reference()), result),
                         counter(result, "peak_MiB")])
        lines += [f"### {title(network)}, {setting}, batch {batch}: one training step", ""]
        lines += table(["activation", "ms", "ratio to BN+ReLU", "peak MiB"], rows, 1)
    return lines


NOTES = """\
Times are medians. "% of the copy rate": the time that LibTorch's `copy_` takes for as many bytes as
the layer has to move at least, over the layer's own. "Kept": what backward keeps beyond the layer's
output. "Equal output": the rival has twice as many channels at its input, so that as many come out.
In networks "half" means half the filters in front of a linked layer, so that the next layer is as
wide as with any other activation, and "full" as many filters as there.
"""


def page(runs, plots):
    lines = [f"# Benchmarks on {runs[0].machine}", "", NOTES]
    for run in runs:
        lines += [f"## {run.path.name}", ""]
        facts = [[name, str(run.facts[key])] for key, name in FACTS.items() if key in run.facts]
        lines += table(["", ""], facts, 2)
        for name in plots.get(run.path, []):
            lines += [f"![{name}]({name})", ""]
        lines += layer_sections(run) + format_sections(run) + network_sections(run) + compared_tables(run.compared)
        if run.failed:
            lines += ["### Failed", ""] + table(["case", "why"], run.failed.items(), 2)
    return "\n".join(lines).rstrip() + "\n"


def readme_layers(run):
    """Forward and backward of our layers in float, against the composed expression."""
    cells = {}
    for key, ours in run.layers.items():
        other = run.layers.get(replace(key, variant="composed"))
        if (key.variant, key.type, key.step) == ("fused", "fp32", STEPS[-1]) and other:
            if key.shape in README_SHAPES:
                cells[layer_title(key), f"{key.shape} {key.format}"] = (
                    f"{time(ours, 1e-6)} µs, {ratio(other, ours)}")
    return cells


def readme_networks(run):
    """One training step: the rivals, and our layers at half the filters, in the first setting."""
    cells = {}
    settings = list(grouped(run.networks, "setting"))
    for key, result in run.networks.items():
        rival = key.variant == "torch" and key.activation in RIVALS
        ours = key.variant.startswith("fused") and key.filters == "half"
        if (key.setting,) == settings[0] and (rival or ours and not key.activation.startswith("bn_")):
            cells[network_title(key), f"{title(key.network)}, {key.setting}"] = (
                f"{time(result, 1e-3)} ms, {ratio(run.networks.get(key.reference()), result)}")
    return cells


def readme_compared(run):
    """Forward and backward of our layers in float, against torch.compile of the composed expression."""
    cells = {}
    for row in run.compared:
        kind, *parts = row["case"].split("/")
        if kind == "layer":
            activation, step, kind, layout, shape = parts
            if (step, kind) == (STEPS[-1], "fp32"):
                cells[title(activation), f"{shape} {layout}"] = (
                    f"{number(row['ours_us'])} µs, {ratio_to('compile', row)}")
    return cells


def cross_table(cells):
    """A table of texts by the names of their row and column."""
    names, columns = (list(dict.fromkeys(pair[i] for pair in cells)) for i in (0, 1))
    rows = [[name] + [cells.get((name, column), "–") for column in columns] for name in names]
    return table(["", *columns], rows, 1)


def short_tables(runs):
    lines = []
    for run in runs:
        where = f"{run.machine}, LibTorch {run.facts['libtorch']}"
        for what, cells in (
                ("Forward and backward in float32, and how many times as fast as composed",
                 readme_layers(run)),
                ("One training step, and how many times as fast as with BN+ReLU",
                 readme_networks(run)),
                ("Forward and backward in float32, and how many times as fast as `torch.compile` of "
                 "composed, both from Python", readme_compared(run))):
            if cells:
                lines += [f"{what} ({where}):", "", *cross_table(cells)]
    return lines


def write_between_markers(path, lines):
    text = path.read_text()
    if text.count(BEGIN) != 1 or text.count(END) != 1 or text.index(BEGIN) > text.index(END):
        raise ValueError(f"{path}: expected one line {BEGIN} and one {END} behind it")
    before, rest = text.split(BEGIN)
    after = rest.split(END)[1]
    path.write_text("\n".join([before + BEGIN, "", *lines, ""]).rstrip("\n") + "\n\n" + END + after)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("files", nargs="+", type=Path, help="what --benchmark_out= and --output wrote")
    parser.add_argument("--readme", type=Path, help=f"writes the short tables between\n{BEGIN}\nand "
                                                    f"{END}")
    parser.add_argument("--no-plots", action="store_true", help="tables only")
    arguments = parser.parse_args()

    runs = [Run(path) for path in arguments.files]
    for folder in dict.fromkeys(run.path.parent for run in runs):
        here = [run for run in runs if run.path.parent == folder]
        plots = {}
        if not arguments.no_plots:
            from plots import plot_all
            plots = {run.path: plot_all(run, folder) for run in here}
        (folder / "report.md").write_text(page(here, plots))
        print(folder / "report.md")
    if arguments.readme:
        write_between_markers(arguments.readme, short_tables(runs))


if __name__ == "__main__":
    try:
        main()
    except (ValueError, OSError, ModuleNotFoundError) as error:
        sys.exit(f"report.py: {error}")
