#!/usr/bin/env python3
"""Runs a few cases of both programs for as short as they go, and reads the report made of them.

    smoke_test.py [--no-plots] benchmark_layers benchmark_networks

No time is looked at. What the report makes of times is looked at with a file whose times are known.
"""

import json
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

HERE = Path(__file__).parent
*OPTIONS, LAYERS, NETWORKS = sys.argv[1:]
CONTEXT = {"cpu": "a processor", "threads": "2", "libtorch": "0.0.0"}


def run(program, *arguments):
    command = [Path(program).absolute(), *arguments]
    return subprocess.run([str(word) for word in command], text=True, capture_output=True)


def benchmark(program, pattern, out):
    return run(program, "--device=cpu", "--benchmark_min_time=0.000001",
               f"--benchmark_filter={pattern}", f"--benchmark_out={out}")


def report(*arguments):
    return run(sys.executable, HERE / "report.py", *OPTIONS, *arguments)


def rows(page):
    return [line.strip("| ").split(" | ") for line in page.splitlines() if line.startswith("| ")]


def row(page, *begin):
    [found] = [cells for cells in rows(page) if tuple(cells[:len(begin)]) == begin]
    return found


def case(name, seconds, **counters):
    return {"name": name, "run_name": name + "/manual_time", "run_type": "iteration",
            "real_time": seconds * 1e6, "time_unit": "us", **counters}


class SmokeTest(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)

    def page(self, *files):
        result = report(*files)
        self.assertEqual(result.returncode, 0, result.stderr)
        return (self.folder / "report.md").read_text()

    def known(self, *cases):
        path = self.folder / "known.json"
        path.write_text(json.dumps({"context": CONTEXT, "benchmarks": cases}))
        return path

    def test_layers(self):
        out = self.folder / "layers.json"
        result = benchmark(LAYERS, "/(fp32|bf16)/.*/(1x16x8x8|1x8x8x8)/", out)
        self.assertEqual(result.returncode, 0, result.stderr)
        entries = json.loads(out.read_text())["benchmarks"]
        self.assertEqual([entry for entry in entries if entry.get("error_occurred")], [])
        # 2 types, 2 formats, 3 passes; 2 widths of the linked layers' 10 variants, with bias and
        # without; 3 rivals.
        self.assertEqual(len(entries), 2 * 2 * 3 * (2 * 10 * 2 + 3))
        for entry in entries:
            self.assertGreater(entry["real_time"], 0, entry)
            self.assertGreater(entry["copy_percent"], 0, entry)
            self.assertGreater(entry["allocated_bytes"], 0, entry)
        by_name = {entry["name"].removesuffix("/manual_time"): entry for entry in entries}
        kept = {name: by_name[f"layer/lk_relu/{name}/forward/fp32/nchw/1x16x8x8"]["kept_bytes"]
                for name in ("fused", "fused_output", "composed")}
        elements = 16 * 8 * 8  # two bits each; nothing; and both halves apart from their output
        self.assertEqual(kept, {"fused": elements / 4, "fused_output": 0, "composed": 8 * elements})
        page = self.page(out)
        for activation in ("LK-ReLU", "LK-PReLU", "LK-SELU", "LK-Swish"):
            for name in (activation, activation + " with bias"):
                self.assertIn(["1x16x8x8", name, "cat(g(z), g(-z))"],
                              [cells[:3] for cells in rows(page)])
        if not OPTIONS:
            self.assertTrue(list(self.folder.glob("layers-fp32-nhwc.png")))

    def test_networks(self):
        out = self.folder / "networks.json"
        result = benchmark(NETWORKS, "resnet50/(bn_relu/full/torch|lk_prelu/half)/.*nhwc", out)
        self.assertEqual(result.returncode, 0, result.stderr)
        page = self.page(out)
        for name in ("BN+ReLU", "LK-PReLU, half, fused", "LK-PReLU, half, composed",
                     "LK-PReLU, half, fused, bias in it"):
            self.assertEqual(len(row(page, name)), 4)
        self.assertEqual(row(page, "BN+ReLU")[2], "1.00×")

    def test_ratios(self):
        name = "layer/{}/forward_backward/fp32/nchw/8x{}x28x28"
        known = self.known(
            case(name.format("lk_relu/fused", 64), 1e-4, copy_percent=80, kept_bytes=2**20),
            case(name.format("lk_relu/fused", 64), 9e-4, copy_percent=10, kept_bytes=2**20),
            case(name.format("lk_relu/fused", 64), 2e-4, copy_percent=50, kept_bytes=2**20),
            case(name.format("lk_relu/composed", 64), 5e-4, kept_bytes=2**22),
            case(name.format("relu/torch", 64), 1e-4),
            case(name.format("bn_relu/torch", 128), 8e-4),
            case("network/allcnn/bn_relu/full/torch/fp32/nchw/eager/8x3x32x32", 0.3, peak_MiB=6.0),
            case("network/allcnn/lk_relu/half/fused/fp32/nchw/eager/8x3x32x32", 0.1, peak_MiB=3.0))
        readme = self.folder / "README.md"
        readme.write_text("before\n<!-- benchmarks:begin -->\nold\n<!-- benchmarks:end -->\nafter\n")
        page = self.page("--readme", readme, known)
        self.assertEqual(
            row(page, "8x64x28x28", "LK-ReLU", "cat(g(z), g(-z))")[-6:],
            ["200", "500", "2.50×", "50.0", "1.00", "4.00"])
        self.assertEqual(
            row(page, "8x64x28x28", "LK-ReLU", "200")[3:], ["0.50×", "–", "–", "–", "–", "4.00×"])
        self.assertEqual(row(page, "LK-ReLU, half, fused")[1:], ["100", "3.00×", "3.00"])
        text = readme.read_text()
        self.assertTrue(text.startswith("before\n<!-- benchmarks:begin -->\n"), text)
        self.assertTrue(text.endswith("\n<!-- benchmarks:end -->\nafter\n"), text)
        self.assertNotIn("old", text)
        self.assertIn(["LK-ReLU", "200 µs, 2.50×"], rows(text))
        self.assertIn(["LK-ReLU, half, fused", "100 ms, 3.00×"], rows(text))
        self.assertEqual(report("--readme", readme, known).returncode, 0)
        self.assertEqual(readme.read_text(), text)  # a second time changes nothing

    def test_memory_formats(self):
        name = "layer/lk_selu/fused/{}/bf16/{}/32x128x28x28"
        page = self.page(self.known(
            case(name.format("forward", "nchw"), 2e-4), case(name.format("forward", "nhwc"), 3e-4),
            case(name.format("backward", "nhwc"), 1e-4)))
        _, section = page.split("channels last against contiguous", 1)
        self.assertEqual(row(section, "32x128x28x28", "LK-SELU")[2:8],
                         ["200", "300", "1.50×", "–", "100", "–"])

    def test_order_of_an_interleaved_run(self):
        name = "network/allcnn/{}/fp32/nchw/eager/8x3x32x32"
        page = self.page(self.known(
            case(name.format("selu/full/torch"), 0.1, peak_MiB=1.0, family_index=2),
            case(name.format("bn_relu/full/torch"), 0.3, peak_MiB=1.0, family_index=0),
            case(name.format("relu/full/torch"), 0.2, peak_MiB=1.0, family_index=1)))
        names = [cells[0] for cells in rows(page)]
        self.assertEqual(names[names.index("BN+ReLU"):][:3], ["BN+ReLU", "ReLU", "SELU"])

    def test_compared(self):
        name = "layer/lk_relu/forward_backward/fp32/nchw/8x64x28x28"
        known = self.folder / "compile.json"
        known.write_text(json.dumps({"context": CONTEXT, "rows": [
            {"case": name, "ours_us": 100.0, "compile_us": 250.0, "eager_us": 400.0}]}))
        readme = self.folder / "README.md"
        readme.write_text("<!-- benchmarks:begin -->\n<!-- benchmarks:end -->\n")
        page = self.page("--readme", readme, known)
        self.assertEqual(row(page, name.removeprefix("layer/"))[1:],
                         ["100", "250", "400", "2.50×", "4.00×"])
        self.assertIn(["LK-ReLU", "100 µs, 2.50×"], rows(readme.read_text()))

    def test_errors(self):
        readme = self.folder / "README.md"
        readme.write_text("no markers\n")
        result = report("--readme", readme, self.known(case("layer/a/b", 1)))
        self.assertEqual(result.returncode, 1)
        self.assertIn("no case of ours is called layer/a/b", result.stderr)
        result = report("--readme", readme, self.known())
        self.assertEqual(result.returncode, 1)
        self.assertIn("benchmarks:begin", result.stderr)
        self.assertNotEqual(run(LAYERS, "--no_such_flag").returncode, 0)


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
