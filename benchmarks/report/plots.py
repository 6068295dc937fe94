"""The report's plots. Each answers the question that is its title."""

import io
import math

import matplotlib

matplotlib.use("Agg")  # files, no windows

import matplotlib.pyplot as plt  # noqa: E402
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter  # noqa: E402
from PIL import Image  # noqa: E402

from runs import STEPS, grouped, rivals  # noqa: E402
from tables import number  # noqa: E402
from titles import activation_title, case_title, title  # noqa: E402

OURS, RIVAL, COMPILED, TEXT = "#0072B2", "#8C8C8C", "#D55E00", "#222222"  # told apart by all eyes
SMALLEST = 0.5  # MiB; below, calls take longer than their work
PANELS_A_ROW = 4

plt.rcParams.update({
    "font.size": 9, "axes.spines.top": False, "axes.spines.right": False, "text.color": TEXT,
    "axes.labelcolor": TEXT, "xtick.color": TEXT, "ytick.color": TEXT, "axes.titlesize": 10})


def save(figure, path, question, setting):
    """Under a title; gives the file's name and a text for those who do not see it."""
    height = figure.get_size_inches()[1]
    figure.set_layout_engine("constrained", rect=(0, 0, 1, 1 - 0.55 / height))
    figure.text(0.5, 1 - 0.2 / height, question, ha="center", va="center", fontsize=12,
                fontweight="bold")
    figure.text(0.5, 1 - 0.42 / height, setting, ha="center", va="center", fontsize=8.5)
    picture = io.BytesIO()
    figure.savefig(picture, dpi=110, facecolor="white")
    plt.close(figure)
    Image.open(picture).convert("RGB").quantize(128).save(path, optimize=True)  # a third of the size
    return path.name, f"{question} ({setting})"


def over_copy(result):
    """Its time, as a multiple of a copy's."""
    return 100 / result.counters["copy_percent"]


def compiled_points(runs, keys, layers):
    """Of torch.compile, which has a run of its own with a few of the sizes: its time over ours
    there, times ours over the copy's here."""
    points = []
    for key in keys:
        for run in runs:
            compiled = run.layers.get(key.by("compiled"))
            if compiled and key in run.layers:
                points.append((key.mebibytes, over_copy(layers[key]) * compiled.seconds
                               / run.layers[key].seconds))
    return points


def plot_layers(run, runs, folder):
    """Time over a copy's against size, a panel for each layer, a picture for each type and memory
    format; gives names and titles."""
    pictures = []
    for (kind, layout), keys in grouped(run.layers, "type", "format").items():
        keys = [key for key in keys if key.variant == "fused" and key.step == STEPS[-1]
                and "copy_percent" in run.layers[key].counters and key.mebibytes >= SMALLEST]
        if len({key.mebibytes for key in keys}) < 3:
            continue
        panels = grouped(sorted(keys, key=lambda key: key.mebibytes), "activation")
        # In the program's order.
        panels = {name: panels[name,] for name in dict.fromkeys(key.activation for key in keys)}
        columns = min(len(panels), PANELS_A_ROW)
        rows = math.ceil(len(panels) / columns)
        figure, axes = plt.subplots(rows, columns, sharex=True, sharey=True, squeeze=False,
                                    figsize=(2.3 * columns + 0.4, 2.3 * rows + 1.2))
        for axis in axes.flat[len(panels):]:
            axis.set_visible(False)
        for axis, (activation, line) in zip(axes.flat, panels.items()):
            plot_panel(axis, run, runs, line)
            axis.set_title(activation_title(activation))
        for axis in axes[:, 0]:
            axis.set_ylabel("times a copy's time")
        for axis in axes[-1]:
            axis.set_xlabel("input, MiB")
        handles, labels = max((axis.get_legend_handles_labels() for axis in axes.flat),
                              key=lambda pair: len(pair[0]))
        figure.legend(handles[::-1], labels[::-1], loc="outside lower center", ncols=len(labels),
                      frameon=False)
        pictures.append(save(figure, folder / f"{run.path.stem}-{kind}-{layout}.png",
                             "How many times a plain copy's time does a layer take?",
                             f"{title(STEPS[-1])}, {kind}, {title(layout)}; {run.machine}"))
    return pictures


def plot_panel(axis, run, runs, line):
    sizes = [key.mebibytes for key in line]
    axis.axhline(1, color=TEXT, linewidth=0.8, label="a copy of as many bytes as the layer must move")
    found = [(key.mebibytes, next(iter(rivals(run.layers, key).values()), None)) for key in line]
    found = [(size, over_copy(result)) for size, result in found if result]
    if found:
        axis.plot(*zip(*found), "--", color=RIVAL, marker="o", markersize=3, label="composed")
    if points := compiled_points(runs, line, run.layers):
        axis.plot(*zip(*points), "D", color=COMPILED, markersize=5, fillstyle="none",
                  label="torch.compile of composed")
    axis.plot(sizes, [over_copy(run.layers[key]) for key in line], color=OURS, marker="o",
              markersize=3, linewidth=2, label="fused")
    plain = FuncFormatter(lambda value, _: f"{value:g}")
    axis.set(xscale="log", yscale="log")
    axis.xaxis.set_major_formatter(plain)
    axis.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axis.yaxis.set_major_formatter(plain)
    axis.yaxis.set_minor_formatter(NullFormatter())
    axis.grid(True, axis="y", alpha=0.25)


def shown(key):
    """Linked layers with half the filters in front, and what they would replace."""
    return (key.variant == "torch" or key.filters == "half" and not key.activation.startswith("bn_")
            and key.variant != "fused_bias")


def plot_networks(run, folder, stem, question, unit, values):
    """Sorted bars, a panel for each network, a picture for each setting; gives names and titles.
    `values`: of a result the value, the least and the most."""
    pictures = []
    for (setting,), keys in grouped(filter(shown, run.networks), "setting").items():
        if len({key.activation for key in keys if key.fused}) < 2:
            continue
        panels = grouped(keys, "network")
        figure, axes = plt.subplots(
            1, len(panels), squeeze=False,
            figsize=(3.4 * len(panels) + 0.5, 1.3 + 0.2 * max(map(len, panels.values()))))
        for axis, ((network,), bars) in zip(axes[0], panels.items()):
            bars.sort(key=lambda key: values(run.networks[key])[0], reverse=True)
            heights, least, most = zip(*(values(run.networks[key]) for key in bars))
            names = [case_title(key) for key in bars]
            drawn = axis.barh(names, heights, height=0.75,
                              color=[OURS if key.fused else "#BDBDBD" for key in bars])
            axis.hlines(names, least, most, color=TEXT, linewidth=1)
            for bar, key, value in zip(drawn, bars, heights):
                axis.annotate(number(value), (0, bar.get_y() + bar.get_height() / 2), (3, 0),
                              textcoords="offset points", va="center", fontsize=8,
                              color="white" if key.fused else TEXT)
            axis.margins(y=0.01)
            axis.tick_params(axis="y", length=0)
            axis.set(title=f"{title(network)}, batch {bars[0].batch}", xlabel=unit)
        slug = setting.replace(", ", "-")
        pictures.append(save(figure, folder / f"{run.path.stem}-{stem}-{slug}.png", question,
                             "linked layers (fused in blue) with half the filters; "
                             f"{setting}; {run.machine}"))
    return pictures


def plot_all(runs, folder):
    """Of one machine's files."""
    pictures = []
    for run in runs:
        pictures += plot_layers(run, runs, folder)
        pictures += plot_networks(
            run, folder, "time", "How long does one training step take?",
            "ms (line: repetitions)",
            lambda result: (1e3 * result.seconds, 1e3 * result.fastest, 1e3 * result.slowest))
        pictures += plot_networks(
            run, folder, "memory", "How much memory does training need at most?", "MiB",
            lambda result: 3 * (result.counters["peak_MiB"],))
    return pictures
