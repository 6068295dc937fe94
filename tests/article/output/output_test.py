"""Reads what the article's runs leave behind with other people's programs.

ARTICLE_OUTPUT_TOOL names the program that writes it (tool.cpp). TensorBoard needs PyPI's tensorboard.
"""

import os
import pathlib
import random
import subprocess
import tempfile
import unittest
import xml.etree.ElementTree

TAGS = ["loss", "acc", "val_loss", "val_acc", "epoch_time", "dead_units"]


def tool(*arguments, epochs=()):
    lines = "".join(" ".join(map(repr, epoch)) + "\n" for epoch in epochs)
    command = [os.environ["ARTICLE_OUTPUT_TOOL"], *map(str, arguments)]
    subprocess.run(command, input=lines, text=True, check=True)


class Output(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.out = pathlib.Path(folder.name)
        self.random = random.Random(1)

    def epochs(self, first, last):
        """Rows of epoch number, five positive numbers, a count."""
        return [(number, *(self.random.uniform(0, 1) for _ in range(5)), self.random.randrange(200))
                for number in range(first, last + 1)]

    def log(self, experiment, variant, activation, epochs, seed=100, resume=0):
        folder = self.out / experiment / variant / activation / f"seed-{seed}"
        tool("log", folder, experiment, variant, activation, "mnist", seed, resume, epochs=epochs)
        return folder


class TensorBoard(Output):
    def expect_scalars(self, folder, epochs):
        from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
        events = EventAccumulator(str(folder))
        events.Reload()
        self.assertCountEqual(events.Tags()["scalars"], TAGS)
        for column, tag in enumerate(TAGS, start=1):
            scalars = events.Scalars(tag)
            self.assertEqual([scalar.step for scalar in scalars], [epoch[0] for epoch in epochs], tag)
            for scalar, epoch in zip(scalars, epochs):
                self.assertAlmostEqual(scalar.value, epoch[column], delta=1e-7 * abs(epoch[column]), msg=tag)
            times = [scalar.wall_time for scalar in scalars]
            self.assertEqual(times, sorted(times))

    def test_scalars(self):
        epochs = self.epochs(1, 30)
        self.expect_scalars(self.log("depth", "default", "lk_relu", epochs), epochs)

    def test_resumed_run_replaces_later_epochs(self):
        first = self.epochs(1, 5)
        second = self.epochs(4, 7)
        self.log("depth", "default", "lk_relu", first)
        folder = self.log("depth", "default", "lk_relu", second, resume=3)
        self.expect_scalars(folder, first[:3] + second)

    def test_run_started_anew(self):
        self.log("depth", "default", "lk_relu", self.epochs(1, 5))
        epochs = self.epochs(1, 2)
        self.expect_scalars(self.log("depth", "default", "lk_relu", epochs), epochs)

    def test_every_record_is_whole(self):
        """Every byte belongs to a record whose checksums the reader has compared."""
        from tensorboard.compat.proto.event_pb2 import Event
        from tensorboard.compat.tensorflow_stub.pywrap_tensorflow import PyRecordReader_New
        folder = self.log("depth", "default", "lk_relu", self.epochs(1, 3))
        [path] = folder.glob("events.out.tfevents.*")
        reader = PyRecordReader_New(str(path))
        records = []
        while True:
            try:
                reader.GetNext()
            except Exception as error:  # the reader's own type for the end of the file
                self.assertEqual(type(error).__name__, "OutOfRangeError", error)
                break
            records.append(reader.record())
        events = [Event.FromString(record) for record in records]
        self.assertEqual([event.WhichOneof("what") for event in events],
                         ["file_version", "summary", "summary", "summary"])
        self.assertEqual(events[0].file_version, "brain.Event:2")
        self.assertEqual(sum(len(record) + 16 for record in records), path.stat().st_size)


class Plots(Output):
    SVG = "{http://www.w3.org/2000/svg}"

    def plots(self, experiment):
        tool("plots", self.out, experiment)
        return {path.name: xml.etree.ElementTree.parse(path).getroot()
                for path in (self.out / experiment).glob("*.svg")}

    def texts(self, root):
        return [element.text for element in root.iter(self.SVG + "text")]

    def test_curves(self):
        self.log("width", "width-50", "relu", self.epochs(1, 8), seed=100)
        self.log("width", "width-50", "relu", self.epochs(1, 8), seed=101)
        self.log("width", "width-50", "lk_relu", self.epochs(1, 6))
        self.log("width", "width-400", "a<b & \"c\"", self.epochs(1, 1))
        plots = self.plots("width")
        self.assertEqual(sorted(plots),
                         ["best-mnist.svg", "curves-mnist-width-400.svg", "curves-mnist-width-50.svg"])
        curves = plots["curves-mnist-width-50.svg"]
        texts = self.texts(curves)
        for text in ("width on mnist, width-50", "epoch", "validation accuracy, median over seeds",
                     "ReLU", "LK-ReLU", "1", "8"):
            self.assertIn(text, texts)
        lines = [line.get("points").split() for line in curves.iter(self.SVG + "polyline")]
        self.assertEqual(sorted(map(len, lines)), [2, 2, 6, 8])  # two of them in the legend
        self.assertIn("a<b & \"c\"", self.texts(plots["curves-mnist-width-400.svg"]))

    def test_everything_is_inside(self):
        for activation in ("relu", "lk_relu", "selu"):
            self.log("depth", "default", activation, self.epochs(1, 200))
        for name, root in self.plots("depth").items():
            width, height = float(root.get("width")), float(root.get("height"))
            for element in root.iter(self.SVG + "polyline"):
                for point in element.get("points").split():
                    x, y = map(float, point.split(","))
                    self.assertTrue(0 <= x <= width and 0 <= y <= height, (name, point))
            for element in root.iter(self.SVG + "rect"):
                x, y, w, h = (float(element.get(key)) for key in ("x", "y", "width", "height"))
                self.assertTrue(0 <= x <= x + w <= width and 0 <= y <= y + h <= height, name)

    def test_bars(self):
        self.log("depth", "default", "relu", [(1, 0, 0, 0, 0.25, 1, 0), (2, 0, 0, 0, 0.125, 1, 0)])
        root = self.plots("depth")["best-mnist.svg"]
        texts = self.texts(root)
        self.assertIn("0.2500", texts)  # ReLU, measured
        self.assertIn("0.5667", texts)  # LK-ReLU, published
        self.assertEqual(texts.count("missing"), 12)
        widths = [float(bar.get("width")) for bar in root.iter(self.SVG + "rect")]
        # The background, two squares of the legend, the 13 published bars, one that was measured.
        self.assertEqual(len(widths), 17)
        measured, published = widths[3:5]
        self.assertAlmostEqual(measured / published, 0.25 / 0.1, places=1)


if __name__ == "__main__":
    unittest.main()
