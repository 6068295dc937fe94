"""Tables of training steps, and where their time goes."""

from rival_cells import RivalCells
from runs import grouped, product
from tables import between, counter, number, ratio, table
from titles import activation_title, case_title, title

# Networks whose activations are all of one size, with as many elements coming out as a batch has:
# how many they are.
ALIKE = {"eight_conv": 8, "thirty_two_conv": 32}


def network_table(run, keys):
    """A row for each of our layers, composed beside it, and for each built-in activation."""
    cells = RivalCells(run.networks, keys, 1e-3)
    rows = []
    for key in keys:
        if key.fused or key.variant == "torch":
            result = run.networks[key]
            rows.append([case_title(key), key.filters, *cells.row(key),
                         counter(result, "peak_MiB"), counter(cells.fastest(key), "peak_MiB")])
    header = ["activation", "filters", *cells.header("step, ms", "ms"), "peak, MiB",
              "the fastest rival's peak, MiB"]
    return table(header, rows, 3) + cells.footnote()


def milliseconds(results):
    return between([result.seconds * 1e3 for result in results], number) + " ms"


def percent(shares):
    return between(shares, lambda share: f"{100 * share:.2g}") + " %"


def beside_composed(results, keys):
    """With half the filters: our results and the composed layers', by our cases."""
    return {key: (results[key], results[key.by("composed")]) for key in keys
            if key.variant == "fused" and key.filters == "half" and key.by("composed") in results
            and not key.activation.startswith("bn_")}


def batch_normalization(results, keys):
    """The results in whose place linked layers would come."""
    return [results[key] for key in keys if key.activation == "bn_relu" and key.variant == "torch"]


def layers_alone(runs, network):
    """The case of benchmark_layers that a network of ALIKE layers has at half the filters, and the
    seconds that all these layers take, ours and composed; None where none as large was measured."""
    for run in runs:
        for layer, ours in run.layers.items():
            other = run.layers.get(layer.by("composed"))
            if (network.network in ALIKE and other and layer.variant == "fused"
                    and layer.step == "forward_backward" and layer.activation == network.activation
                    and (layer.type, layer.format) == (network.type, network.format)
                    and 2 * layer.elements == product(network.batch)):
                count = ALIKE[network.network]
                return run, layer, (count * ours.seconds, count * other.seconds)
    return None


def where_time_goes(run, runs, keys):
    """Sentences on fused and composed at half the filters."""
    pairs = beside_composed(run.networks, keys)
    if not pairs:
        return []
    ours, composed = zip(*pairs.values())
    text = (f"With half the filters a step takes {milliseconds(ours)} fused, "
            f"{milliseconds(composed)} composed")
    if others := batch_normalization(run.networks, keys):
        text += f"; with all filters and BN+ReLU {milliseconds(others)}"
    lines = [text + "."]
    alike, apart = [], []
    for key, pair in pairs.items():
        if alike_in_time(*pair):
            alike.append(activation_title(key.activation))
        else:
            apart.append(f"{activation_title(key.activation)} {ratio(*reversed(pair))}")
    if apart:
        lines.append(f"Composed over fused: {', '.join(apart)}.")
    if alike:
        lines.append("The spread of the repetitions is larger than the difference between fused and "
                     f"composed: {', '.join(alike)}.")
    found = {key: layers_alone(runs, key) for key in pairs}
    if all(found.values()):
        shares = zip(*([seconds / result.seconds for seconds, result in zip(found[key][2], pair)]
                       for key, pair in pairs.items()))
        fused_shares, composed_shares = map(percent, shares)
        [(source, layer, _), *_] = found.values()
        lines.append(f"Alone ({layer.shape} in {source.path.name}) its {ALIKE[keys[0].network]} "
                     f"linked layers take {fused_shares} of that time fused and {composed_shares} "
                     "composed; the rest is convolutions, loss and optimizer.")
    return [*lines, ""]


def alike_in_time(ours, other):
    """Whether repetitions cannot tell two results apart."""
    return ours.repeated and other.repeated and ours.overlaps(other)


def network_sections(run, runs):
    """`runs`: all files of the machine."""
    lines = []
    for (network, setting, batch), keys in grouped(
            run.networks, "network", "setting", "batch").items():
        lines += [f"### {title(network)}, {setting}, batch {batch}: one training step", ""]
        lines += where_time_goes(run, runs, keys) + network_table(run, keys)
    return lines
