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


def listed(program, pattern):
    result = run(program, "--device=cpu", f"--benchmark_filter={pattern}", "--benchmark_list_tests")
    return [name.removesuffix("/manual_time") for name in result.stdout.split()]


def report(*arguments):
    return run(sys.executable, HERE / "report.py", *OPTIONS, *arguments)


def rows(page):
    return [line.strip("| ").split(" | ") for line in page.splitlines() if line.startswith("| ")]


def row(page, *begin):
    [found] = [cells for cells in rows(page) if tuple(cells[:len(begin)]) == begin]
    return found


def section(page, heading):
    """From the heading's line to the next one."""
    return page.split(f"\n### {heading}\n", 1)[1].split("\n#", 1)[0]


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

    def known(self, *cases, name="known.json"):
        path = self.folder / name
        path.write_text(json.dumps({"context": CONTEXT, "benchmarks": cases}))
        return path

    def test_layers(self):
        out = self.folder / "layers.json"
        pattern = "/(fp32|bf16)/.*/(1x16x8x8|1x8x8x8)/"
        result = benchmark(LAYERS, pattern, out)
        self.assertEqual(result.returncode, 0, result.stderr)
        entries = json.loads(out.read_text())["benchmarks"]
        self.assertEqual([entry for entry in entries if entry.get("error_occurred")], [])
        for entry in entries:
            self.assertGreater(entry["real_time"], 0, entry)
            self.assertGreater(entry["copy_percent"], 0, entry)
            self.assertGreater(entry["allocated_bytes"], 0, entry)
        by_name = {entry["name"].removesuffix("/manual_time"): entry for entry in entries}
        self.assertEqual(list(by_name), listed(LAYERS, pattern))
        kept = {name: by_name[f"layer/lk_relu/{name}/forward/fp32/nchw/1x16x8x8"]["kept_bytes"]
                for name in ("fused", "fused_output", "composed")}
        elements = 16 * 8 * 8  # two bits each; nothing; and both halves apart from their output
        self.assertEqual(kept, {"fused": elements / 4, "fused_output": 0, "composed": 8 * elements})
        self.check_cases(by_name)
        self.check_tables(self.page(out), by_name)

    def check_cases(self, names):
        """Each implementation runs in every setting, and a composed one beside each of ours, with
        bias and without."""
        implementations = {}
        for name in names:
            _, activation, variant, *setting = name.split("/")
            implementations.setdefault(tuple(setting), []).append((activation, variant))
        self.assertEqual(len(implementations), 3 * 2 * 2 * 2)  # passes, types, formats, shapes
        for setting, found in implementations.items():
            linked = {each for each in found if each[1] != "torch"}
            self.assertEqual(linked, {each for each in next(iter(implementations.values()))
                                      if each[1] != "torch"}, setting)
            for activation in {activation for activation, _ in linked}:
                self.assertLessEqual(
                    {(activation, variant + bias) for variant in ("fused", "composed")
                     for bias in ("", "_bias")}, linked, setting)

    def check_tables(self, page, names):
        """The section of a setting has a row for each of our implementations."""
        cells = rows(section(page, "Layers, fp32, nhwc, forward + backward"))
        ours = [name for name in names
                if name.split("/")[2].startswith("fused") and "/forward_backward/fp32/nhwc/" in name]
        self.assertEqual(len(cells), 2 + len(ours))  # a head and a rule
        self.assertIn(["1x16x8x8", "LK-PReLU, with bias", "composed"], [line[:3] for line in cells])

    def test_networks(self):
        out = self.folder / "networks.json"
        result = benchmark(NETWORKS, "resnet50/(bn_relu/full/torch|lk_prelu/half)/.*nhwc", out)
        self.assertEqual(result.returncode, 0, result.stderr)
        page = self.page(out)
        for name, filters, rival in (("BN+ReLU", "full", "–"), ("LK-PReLU", "half", "composed"),
                                     ("LK-PReLU, with bias", "half", "composed")):
            self.assertEqual(len(row(page, name, filters, rival)), 8)

    def test_ratios(self):
        name = "layer/{}/forward_backward/fp32/nchw/8x{}x28x28"
        page = self.page(self.known(
            case(name.format("lk_relu/fused", 64), 1e-4, copy_percent=80, kept_bytes=2**20),
            case(name.format("lk_relu/fused", 64), 9e-4, copy_percent=10, kept_bytes=2**20),
            case(name.format("lk_relu/fused", 64), 2e-4, copy_percent=50, kept_bytes=2**20),
            case(name.format("lk_relu/composed", 64), 5e-4, kept_bytes=2**22),
            case(name.format("lk_relu/composed_cat", 64), 3e-4, kept_bytes=2**21),
            case(name.format("lk_relu/compiled", 64), 6e-4),
            case(name.format("lk_selu/fused", 64), 2e-4),
            case(name.format("lk_selu/composed", 64), 5e-4),
            case(name.format("lk_selu/compiled", 64), 4e-4),
            case(name.format("relu/torch", 64), 1e-4),
            case(name.format("bn_relu/torch", 128), 8e-4)))
        found = section(page, "Layers, fp32, nchw, forward + backward")
        self.assertEqual(
            row(found, "8x64x28x28", "LK-ReLU")[2:],
            ["composed, cat first", "200", "500", "300", "600 \\*", "1.50×", "50.0", "1.00", "2.00"])
        self.assertEqual(row(found, "8x64x28x28", "LK-SELU")[2:8],
                         ["torch.compile", "200", "500", "–", "400", "2.00×"])
        self.assertIn("\n\\* 2.0 times as long as composed", found)
        found = section(page, "Layers, fp32, nchw, forward + backward: other activations' time over ours")
        self.assertEqual(row(found, "8x64x28x28", "LK-ReLU")[2:], ["200", "0.50×", "4.00×"])

    def test_steps(self):
        name = "network/eight_conv/{}/fp32/nchw/eager/8x4x28x28"
        alone = "layer/lk_relu/{}/forward_backward/fp32/nchw/2x8x28x28"  # half as many elements
        page = self.page(self.known(
            case(name.format("bn_relu/full/torch"), 0.4, peak_MiB=6.0),
            *(case(name.format("lk_relu/half/fused"), seconds, peak_MiB=3.0) for seconds in (0.1, 0.2, 0.3)),
            *(case(name.format("lk_relu/half/composed"), seconds, peak_MiB=5.0)
              for seconds in (0.3, 0.25, 0.28)),
            *(case(name.format("lk_selu/half/fused"), seconds, peak_MiB=3.0) for seconds in (0.2, 0.21, 0.22)),
            case(name.format("lk_selu/half/composed"), 0.42, peak_MiB=5.0),
            case(alone.format("fused"), 1e-3), case(alone.format("composed"), 3.5e-3),
            case(alone.format("fused").replace("relu", "selu"), 2.1e-3),
            case(alone.format("composed").replace("relu", "selu"), 10.5e-3)))
        self.assertEqual(row(page, "LK-ReLU", "half")[2:], ["composed", "200", "280", "1.40×", "3.00", "5.00"])
        self.assertEqual(row(page, "BN+ReLU", "full")[2:], ["–", "400", "–", "–", "6.00", "–"])
        for sentence in (
                "a step takes 200 to 210 ms fused, 280 to 420 ms composed; with all filters and "
                "BN+ReLU 400 ms.",
                "Composed over fused: LK-SELU 2.00×.",
                "larger than the difference between fused and composed: LK-ReLU.",
                "Alone (2x8x28x28 in known.json) its 8 linked layers take 4 to 8 % of that time fused and "
                "10 to 20 % composed;"):
            self.assertIn(sentence, page)

    def test_readme(self):
        name = "layer/{}/forward_backward/fp32/nchw/32x64x56x56"
        step = "network/allcnn/{}/fp32/nchw/eager/8x3x32x32"
        program = self.known(
            case(name.format("lk_relu/fused"), 9e-3), case(name.format("lk_relu/composed"), 9e-3),
            case(name.format("relu/torch"), 5e-3), case(name.format("bn_relu/torch"), 21e-3),
            case(step.format("bn_relu/full/torch"), 0.3, peak_MiB=6.0),
            case(step.format("lk_relu/half/fused"), 0.1, peak_MiB=3.0),
            case(step.format("lk_relu/half/composed"), 0.15, peak_MiB=5.0))
        compared = self.known(
            *(case(name.format(f"lk_relu/{variant}"), seconds) for variant, seconds in (
                ("fused", 5e-3), ("composed", 22e-3), ("composed_cat", 20e-3), ("compiled", 90e-3))),
            *(case(name.format(f"lk_selu/{variant}"), seconds) for variant, seconds in (
                ("fused", 8e-3), ("composed", 30e-3), ("compiled", 12e-3))), name="compared.json")
        readme = self.folder / "README.md"
        readme.write_text("before\n<!-- benchmarks:begin -->\nold\n<!-- benchmarks:end -->\nafter\n")
        self.page("--readme", readme, program, compared)
        text = readme.read_text()
        self.assertTrue(text.startswith("before\n<!-- benchmarks:begin -->\n"), text)
        self.assertTrue(text.endswith("\n<!-- benchmarks:end -->\nafter\n"), text)
        self.assertNotIn("old", text)
        self.assertEqual(rows(text)[2:], [
            ["LK-ReLU", "5.00", "20.0", "90.0 \\*", "4.00×"], ["LK-SELU", "8.00", "30.0", "12.0", "1.50×"],
            ["ReLU †", "–", "5.00", "–", "–"], ["BN+ReLU †", "–", "21.0", "–", "–"]])
        self.assertIn("\\* 4.5 times as long as composed", text)
        self.assertIn("AllCNN with half the filters: 100 ms with LK-ReLU fused, 150 ms composed (1.50×); "
                      "with all filters and BN+ReLU: 300 ms.", text)
        self.page("--readme", readme, program, compared)
        self.assertEqual(readme.read_text(), text)  # a second time changes nothing

    def test_readme_tells_memory(self):
        step = "network/eight_conv/{}/fp32/nhwc/eager/16x256x28x28"
        program = self.known(
            case(step.format("bn_relu/full/torch"), 1.1, peak_MiB=250.0),
            case(step.format("selu/full/torch"), 1.1, peak_MiB=150.0),
            case(step.format("relu/full/torch"), 1.0, peak_MiB=150.0),
            case(step.format("lk_relu/full/fused_joint"), 1.0, peak_MiB=170.0),
            case(step.format("lk_relu/half/fused"), 0.52, peak_MiB=136.0),
            case(step.format("lk_relu/half/fused_joint"), 0.53, peak_MiB=89.7))
        readme = self.folder / "README.md"
        readme.write_text("<!-- benchmarks:begin -->\n<!-- benchmarks:end -->\n")
        self.page("--readme", readme, program)
        self.assertEqual(rows(readme.read_text())[2:], [
            ["BN+ReLU", "all", "1100", "250"], ["ReLU", "all", "1000", "150"], ["LK-ReLU", "half", "520", "136"],
            ["LK-ReLU, keeping only z", "half", "530", "89.7"]])

    @unittest.skipIf(OPTIONS, "no plots")
    def test_plots(self):
        layer = "layer/{}/{}/forward_backward/{}/nhwc/8x{}x28x28"
        step = "network/allcnn/{}/fp32/nhwc/eager/8x3x32x32"
        layers = [case(layer.format(activation, variant, kind, 64 * size), 1e-4 * size, copy_percent=percent)
                  for activation in ("lk_relu", "lk_a", "lk_b", "lk_c", "lk_d")
                  for variant, percent in (("fused", 80), ("composed", 30), ("compiled", 50))
                  for kind, sizes in (("fp32", (1, 2, 4)), ("bf16", (1, 2))) for size in sizes]
        networks = [case(step.format(name), 0.1, peak_MiB=4.0) for name in (
            "relu/full/torch", "lk_relu/half/fused", "lk_relu/half/composed", "lk_selu/half/fused")]
        page = self.page(self.known(*layers, *networks))
        pictures = {"known-fp32-nhwc.png", "known-time-fp32-nhwc-eager.png",
                    "known-memory-fp32-nhwc-eager.png"}  # two sizes are no line
        self.assertEqual({path.name for path in self.folder.glob("*.png")}, pictures)
        for name in pictures:
            self.assertIn(f"]({name})", page)

    def test_memory_formats(self):
        name = "layer/lk_selu/fused/{}/bf16/{}/32x128x28x28"
        page = self.page(self.known(
            case(name.format("forward", "nchw"), 2e-4), case(name.format("forward", "nhwc"), 3e-4),
            case(name.format("backward", "nhwc"), 1e-4)))
        found = section(page, "Layers, bf16: channels last against contiguous")
        self.assertEqual(row(found, "32x128x28x28", "LK-SELU")[2:], ["200", "300", "1.50×", "100"])

    def test_order_of_an_interleaved_run(self):
        name = "network/allcnn/{}/fp32/nchw/eager/8x3x32x32"
        page = self.page(self.known(
            case(name.format("selu/full/torch"), 0.1, peak_MiB=1.0, family_index=2),
            case(name.format("bn_relu/full/torch"), 0.3, peak_MiB=1.0, family_index=0),
            case(name.format("relu/full/torch"), 0.2, peak_MiB=1.0, family_index=1)))
        names = [cells[0] for cells in rows(page)]
        self.assertEqual(names[names.index("BN+ReLU"):][:3], ["BN+ReLU", "ReLU", "SELU"])

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
