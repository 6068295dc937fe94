"""The report's plots."""

import matplotlib

matplotlib.use("Agg")  # files, no windows

import matplotlib.pyplot as plt  # noqa: E402

from runs import STEPS, grouped  # noqa: E402
from titles import network_title, title  # noqa: E402

DASHES = {"fused": "-", "fused_output": (0, (8, 1)), "composed": "--", "composed_cat": ":", "torch": "-."}
TYPE_BYTES = {"fp32": 4, "tf32": 4, "bf16": 2, "fp16": 2}


def save(figure, path):
    figure.savefig(path, dpi=110, bbox_inches="tight")
    plt.close(figure)
    return path.name


def plot_layers(run, folder):
    """Time against size, a picture for each type and memory format; gives the files' names."""
    names = []
    for (kind, layout), keys in grouped(run.layers, "type", "format").items():
        keys = [key for key in keys if not key.biased]
        steps = [step for step in STEPS if any(key.step == step for key in keys)]
        if not steps or len({key.elements for key in keys}) < 2:
            continue
        figure, axes = plt.subplots(1, len(steps), figsize=(5.5 * len(steps), 5), squeeze=False)
        colours = {activation: f"C{i}" for i, activation in
                   enumerate(dict.fromkeys(key.activation for key in keys))}
        for axis, step in zip(axes[0], steps):
            here = [key for key in keys if key.step == step]
            for (activation, variant), line in grouped(here, "activation", "variant").items():
                line.sort(key=lambda key: key.elements)
                axis.plot([key.elements * TYPE_BYTES[kind] / 2**20 for key in line],
                          [run.layers[key].seconds * 1e6 for key in line],
                          linestyle=DASHES.get(variant, ":"), color=colours[activation], marker=".",
                          label=f"{title(activation)}, {title(variant)}")
            plot_copy(axis, run, here, TYPE_BYTES[kind])
            axis.set(title=title(step), xscale="log", yscale="log", xlabel="input, MiB", ylabel="µs")
            axis.grid(True, which="both", alpha=0.2)
        axes[0][-1].legend(loc="upper left", bbox_to_anchor=(1.02, 1), fontsize=8)
        figure.suptitle(f"{run.machine}: layers, {kind}, {layout}")
        names.append(save(figure, folder / f"{run.path.stem}-{kind}-{layout}.png"))
    return names


def plot_copy(axis, run, keys, element_bytes):
    """The time that a copy of the linked layers' least traffic takes."""
    times = {}
    for key in keys:
        result = run.layers[key]
        if key.activation == "lk_selu" and "copy_percent" in result.counters:
            size = key.elements * element_bytes / 2**20
            times[size] = result.seconds * 1e6 * result.counters["copy_percent"] / 100
    if times:
        sizes = sorted(times)
        axis.plot(sizes, [times[size] for size in sizes], color="black", linewidth=2, alpha=0.5,
                  label="a copy of as many bytes as LK-SELU must move")


def plot_networks(run, folder, stem, label, value):
    """Bars of `value` of a result, a picture for each setting; gives the files' names."""
    names = []
    for (setting,), keys in grouped(run.networks, "setting").items():
        networks = grouped(keys, "network")
        tallest = max(len(bars) for bars in networks.values())
        figure, axes = plt.subplots(1, len(networks), squeeze=False, layout="constrained",
                                    figsize=(6.5 * len(networks), 1 + 0.3 * tallest))
        for axis, ((network,), bars) in zip(axes[0], networks.items()):
            values = [value(run.networks[key]) for key in bars]
            colours = ["C0" if key.variant.startswith("fused") else
                       "C1" if key.variant == "composed" else "C7" for key in bars]
            axis.bar_label(axis.barh([network_title(key) for key in bars], values, color=colours),
                           fmt="%.3g", padding=2, fontsize=8)
            axis.invert_yaxis()
            axis.margins(x=0.12, y=0.01)
            axis.set(title=f"{title(network)}, {bars[0].batch}", xlabel=label)
            axis.tick_params(axis="y", labelsize=8)
        figure.suptitle(f"{run.machine}: {setting}")
        slug = setting.replace(", ", "-")
        names.append(save(figure, folder / f"{run.path.stem}-{stem}-{slug}.png"))
    return names


def plot_all(run, folder):
    names = plot_layers(run, folder)
    names += plot_networks(run, folder, "time", "ms a step", lambda result: result.seconds * 1e3)
    names += plot_networks(run, folder, "memory", "peak MiB",
                           lambda result: result.counters["peak_MiB"])
    return names
