"""README's part on speed: one small table, and a sentence on whole networks."""

import itertools

from network_tables import alike_in_time, batch_normalization, beside_composed
from rival_cells import RivalCells
from runs import grouped, rivals
from tables import counter, number, ratio, table, time
from titles import activation_title, case_title, title

SHAPES = ("32x64x56x56", "256x64x56x56")  # what CPUs and GPUs are compared with
FOR_SCALE = ("relu", "bn_relu")
BUILT_IN = "†"


def chosen(runs):
    """Our cases to show, of one file and shape: with torch.compile beside them, if any have that."""
    found = []
    for shape, run in itertools.product(SHAPES, runs):
        wanted = "fused", "forward_backward", "fp32", "nchw", shape
        keys = [key for key in run.layers
                if (key.variant, key.step, key.type, key.format, key.shape) == wanted]
        if keys:
            found.append((run, keys))
    return max(found, key=lambda pair: "compiled" in rivals(pair[0].layers, pair[1][0]), default=None)


def faster_composed(layers):
    """The results with only one composed variant, the faster of both."""
    results = {key: result for key, result in layers.items() if key.variant != "composed_cat"}
    for key, result in layers.items():
        if key.variant == "composed_cat":
            composed = key.by("composed")
            results[composed] = min(result, layers.get(composed, result), key=lambda each: each.seconds)
    return results


def layer_lines(runs):
    if not (found := chosen(runs)):
        return []
    run, keys = found
    cells = RivalCells(faster_composed(run.layers), keys, 1e-3)
    rows = [[activation_title(key.activation), *cells.row(key)] for key in keys]
    notes = cells.footnote()
    sources = {key: each for key in map(keys[0].built_in, FOR_SCALE) for each in [*runs, run]
               if key in each.layers}
    rows += [[f"{activation_title(key.activation)} {BUILT_IN}", *cells.lone("composed", each.layers[key])]
             for key, each in sources.items()]
    if sources:
        where = "" if run in sources.values() else ", from another run"
        notes += [f"{BUILT_IN} LibTorch's own, for scale{where}: half as many channels come out.", ""]
    # The fastest rival is plain to see without its name.
    header, *rows = ([layer, *numbers] for layer, _, *numbers in
                     [["layer", *cells.header("fused, ms", "ms")], *rows])
    libtorch = run.facts["libtorch"].partition("+")[0]
    return [f"Forward and backward, float32, input {keys[0].shape} {keys[0].format}; {run.machine}, "
            f"LibTorch {libtorch}. The ratio is the fastest rival's time over ours.", "",
            *table(header, rows, 1), *notes]


def network_lines(runs):
    """Of the first network, and the first activation in it, that has fused and composed."""
    for run in runs:
        for (network, *_), keys in grouped(run.networks, "network", "setting", "batch").items():
            for key, (ours, composed) in beside_composed(run.networks, keys).items():
                text = (f"One training step of {title(network)} with half the filters: "
                        f"{number(ours.seconds * 1e3)} ms with {activation_title(key.activation)} "
                        f"fused, {number(composed.seconds * 1e3)} ms composed (")
                text += ("alike within the repetitions' spread" if alike_in_time(ours, composed)
                         else ratio(composed, ours))
                text += ")"
                for other in batch_normalization(run.networks, keys):
                    text += f"; with all filters and BN+ReLU: {number(other.seconds * 1e3)} ms"
                return [text + ".", ""]
    return []


def memory_lines(runs):
    """Of the first network that has layers which keep only z: these, and what they come in place of."""
    for run in runs:
        for (network, _, batch), keys in grouped(run.networks, "network", "setting", "batch").items():
            joint = [key for key in keys if key.variant == "fused_joint" and key.filters == "half"]
            if not joint:
                continue
            replaced = [key for key in keys if key.activation in FOR_SCALE and key.variant == "torch"]
            compared = [*replaced, joint[0].by("fused"), joint[0]]
            rows = [[case_title(key), "all" if key.filters == "full" else key.filters,
                     time(run.networks[key], 1e-3), counter(run.networks[key], "peak_MiB")]
                    for key in compared if key in run.networks]
            return [f"One training step of {title(network)}, batch {batch}; {run.machine}:", "",
                    *table(["activation", "filters", "step, ms", "peak, MiB"], rows, 2)]
    return []


def readme_lines(runs):
    """`runs`: all files of one machine."""
    return layer_lines(runs) + network_lines(runs) + memory_lines(runs)
