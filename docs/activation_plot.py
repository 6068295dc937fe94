"""The directive activation-plot: a layer's two halves, and their derivatives, drawn at build time.

    ```{activation-plot} lk_selu
    ```
"""

import os
from pathlib import Path

import matplotlib
import numpy as np
from docutils import nodes
from matplotlib.figure import Figure
from sphinx.util.docutils import SphinxDirective

LAMBDA = 1.0507009873554805
ALPHA = 1.6732632423543772
SLOPE = 0.25  # LK-PReLU's weight, as it is initialised


def sigmoid(z):
    return 1 / (1 + np.exp(-z))


def twins(g, derivative):
    """The halves g(z) and g(-z), each with how it is written, and its derivative."""
    return ("g(z)", g, derivative), ("g(−z)", lambda z: g(-z), lambda z: -derivative(-z))


# name: how the layer is written, and its halves
LAYERS = {
    "lk_relu": ("LK-ReLU", twins(lambda z: np.maximum(z, 0), lambda z: 1.0 * (z > 0))),
    "lk_prelu": ("LK-PReLU", twins(lambda z: np.where(z > 0, z, SLOPE * z),
                                   lambda z: np.where(z > 0, 1, SLOPE))),
    "lk_selu": ("LK-SELU", twins(lambda z: LAMBDA * np.where(z > 0, z, ALPHA * np.expm1(np.minimum(z, 0))),
                                 lambda z: LAMBDA * np.where(z > 0, 1, ALPHA * np.exp(np.minimum(z, 0))))),
    "lk_swish": ("LK-Swish", twins(lambda z: z * sigmoid(z),
                                   lambda z: sigmoid(z) * (1 + z * sigmoid(-z)))),
    "lk_sin_cos": ("LK-SinCos", (("sin z", np.sin, np.cos), ("cos z", np.cos, lambda z: -np.sin(z)))),
}

# Grey, blue and orange can be read on white and on black; the background is the page's.
STYLE = {"font.size": 13, "svg.fonttype": "none", "svg.hashsalt": "linked_neurons",
         "text.color": "#808080", "axes.labelcolor": "#808080", "axes.edgecolor": "#808080",
         "xtick.color": "#808080", "ytick.color": "#808080"}


def draw(path, curves):
    """Writes an SVG with each (label, line style, colour, function) over -4 ... 4."""
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(4.8, 3.4), layout="constrained")
        axes = figure.add_subplot(xlabel="z")
        axes.spines[["top", "right"]].set_visible(False)
        axes.grid(color="#808080", alpha=0.25)
        for label, style, color, function in curves:
            # An even number of points leaves out 0, where a derivative may jump.
            z = np.linspace(-4, 4, 1000)
            y = function(z)
            jumps = np.abs(np.diff(y)) > 0.1
            axes.plot(z, np.where(np.append(jumps, False), np.nan, y), style, color=color,
                      linewidth=2.2, label=label)
        figure.legend(loc="outside upper center", ncols=2, frameon=False)
        figure.savefig(path, transparent=True, metadata={"Date": None})


class ActivationPlot(SphinxDirective):
    required_arguments = 1

    def run(self):
        name = self.arguments[0]
        title, ((pos, g_pos, slope_pos), (neg, g_neg, slope_neg)) = LAYERS[name]
        # Not in docs/, where nothing is generated.
        folder = Path(self.env.app.outdir).parent / "plots"
        folder.mkdir(exist_ok=True)
        plots = (
            ("pair", f"The two halves of {title}, {pos} and {neg}, for z from -4 to 4",
             ((pos, "-", "#2a7fd4", g_pos), (neg, "--", "#e07b00", g_neg))),
            ("derivatives", f"The derivatives of the two halves of {title} for z from -4 to 4",
             ((f"d/dz {pos}", "-", "#2a7fd4", slope_pos), (f"d/dz {neg}", "--", "#e07b00", slope_neg))),
        )
        row = nodes.paragraph()
        for kind, alt, curves in plots:
            path = folder / f"{name}-{kind}.svg"
            draw(path, curves)
            uri = os.path.relpath(path, Path(self.env.doc2path(self.env.docname)).parent)
            row += nodes.image(uri=uri, alt=alt, classes=["activation-plot"])
        self.env.note_dependency(__file__)
        return [row]


def setup(app):
    app.add_directive("activation-plot", ActivationPlot)
    return {"version": "1", "parallel_read_safe": True}
