"""Tables of what benchmark_layers and compare_torch_compile.py say of the layers alone."""

from dataclasses import replace

from rival_cells import RivalCells
from runs import STEPS, built_in, grouped
from tables import counter, ratio, table, time
from titles import activation_title, case_title, title

MIB = 2**-20


def rival_table(run, keys):
    """A row for each of our layers, with all other ways to the same result."""
    cells = RivalCells(run.layers, keys, 1e-6)
    rows = []
    for key in filter(lambda key: key.fused, keys):
        ours, best = run.layers[key], cells.fastest(key)
        rows.append([key.shape, case_title(key), *cells.row(key), counter(ours, "copy_percent"),
                     counter(ours, "kept_bytes", MIB), counter(best, "kept_bytes", MIB)])
    if not rows:
        return []
    header = ["input", "layer", *cells.header("fused, µs", "µs"), "% of the copy rate",
              "kept, MiB", "the fastest rival keeps, MiB"]
    return table(header, rows, 3) + cells.footnote()


def other_activations_table(run, keys):
    """Our layers against LibTorch's, as wide at the input, and at the output."""
    others = built_in(run.layers)
    rows = []
    for key in filter(lambda key: key.variant == "fused", keys):
        # Twice as many channels come out of ours as go in.
        results = [run.layers.get(key.wider(factor).built_in(other))
                   for factor in (1, 2) for other in others]
        if any(results):
            ours = run.layers[key]
            rows.append([key.shape, case_title(key), time(ours, 1e-6)]
                        + [ratio(result, ours) for result in results])
    if not rows:
        return []
    header = ["input", "layer", "fused, µs"] + [
        f"{activation_title(other)}, {width}" for width in ("equal input", "equal output")
        for other in others]
    return table(header, rows, 2)


def formats_table(run, keys):
    """Our layers over the same bytes in both memory formats."""
    rows = []
    for key in dict.fromkeys(replace(key, step=STEPS[0]) for key in keys if key.fused):
        row = [key.shape, case_title(key)]
        for step in STEPS:
            nchw, nhwc = (run.layers.get(replace(key, step=step, format=layout))
                          for layout in ("nchw", "nhwc"))
            row += [time(nchw, 1e-6), time(nhwc, 1e-6), ratio(nhwc, nchw)]
        rows.append(row)
    if not rows:
        return []
    header = ["input", "layer"]
    for step in STEPS:
        header += [f"{title(step)}, nchw, µs", f"{title(step)}, nhwc, µs", "nhwc / nchw"]
    return table(header, rows, 2)


def layer_sections(run):
    lines = []

    def add(heading, body):
        if body:
            lines.extend([f"### Layers, {heading}", "", *body])

    for (kind, layout, step), keys in grouped(run.layers, "type", "format", "step").items():
        where = f"{kind}, {layout}, {title(step)}"
        add(where, rival_table(run, keys))
        add(f"{where}: other activations' time over ours", other_activations_table(run, keys))
    last = [key for key in run.layers if key.format == "nhwc"]
    for (kind,), keys in grouped(last, "type").items():
        add(f"{kind}: channels last against contiguous", formats_table(run, keys))
    return lines
