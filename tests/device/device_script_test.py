"""device.py, as far as it goes without a device.

    python3 device_script_test.py benchmark_layers layers_test
"""

import json
import os
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

import device

LAYERS, TESTS = map(Path, sys.argv[1:])
SCRIPT = Path(device.__file__)


def run(*command, **variables):
    return subprocess.run([str(word) for word in command], text=True, capture_output=True, env=os.environ | variables)


class Pack(unittest.TestCase):
    def setUp(self):
        temporary = tempfile.TemporaryDirectory()
        self.addCleanup(temporary.cleanup)
        self.folder = Path(temporary.name)

    def test_has_programs_and_their_libraries_and_no_others(self):
        packed = self.folder / "pack"
        device.pack(packed, [LAYERS, TESTS])
        names = {file.name for file in packed.iterdir()}
        self.assertLessEqual({LAYERS.name, TESTS.name}, names)
        others = names - {LAYERS.name, TESTS.name}
        self.assertEqual([name for name in others if not name.startswith(("libbenchmark", "liblinked_neurons"))], [])
        self.assertLess((packed / TESTS.name).stat().st_size, TESTS.stat().st_size + 1)

    def test_says_that_there_is_no_device(self):
        for kind in device.STEPS:
            result = run(sys.executable, SCRIPT, kind, self.folder, PATH="/nowhere")
            self.assertEqual((result.returncode, result.stdout, result.stderr), (1, "", "device.py: no CUDA device\n"))

    def test_runs_steps_to_their_end_or_their_time(self):
        def outcome(*command, seconds=60, **variables):
            return device.run(device.Step("a step", seconds, list(command), variables), dict(os.environ))

        self.assertEqual(outcome("true"), ("passed", ""))
        self.assertEqual(outcome("sh", "-c", "echo $ANSWER; exit 1", ANSWER="42"), ("failed", "42\n"))
        self.assertEqual(outcome("echo", "no CUDA device"), ("failed", "no CUDA device\n"))
        self.assertEqual(outcome("no-such-program"), ("missing", "no no-such-program"))
        self.assertEqual(outcome("sh", "-c", "echo begun; sleep 60", seconds=0.2), ("stopped", "begun\n"))

    def test_its_steps_fit_the_time_that_it_says(self):
        for kind, minutes in (("check", 5), ("compare", 4)):
            steps = device.STEPS[kind](self.folder, self.folder)
            self.assertLessEqual(sum(step.seconds for step in steps), 60 * minutes)
            self.assertIn(f"{kind} FOLDER [--output FOLDER]", device.__doc__)

    def test_reads_what_a_stopped_program_has_written(self):
        whole = {"context": {"gpu": "a device"}, "benchmarks": [{"run_name": "a"}, {"run_name": "b"}]}
        text = json.dumps(whole, indent=2)
        file = self.folder / "layers.json"
        for length in range(text.index('"b"') - 20, len(text)):
            file.write_text(text[:length])
            record = device.read_record(file, "a device")
            self.assertEqual(record["context"]["gpu"], "a device")
            self.assertEqual(record["benchmarks"], whole["benchmarks"][:1])
        file.unlink()
        self.assertEqual(device.read_record(file, "a device")["benchmarks"], [])


class Filters(unittest.TestCase):
    def test_choose_a_minutes_work(self):
        result = run(LAYERS, "--device=cpu", "--benchmark_list_tests", f"--benchmark_filter={device.LAYERS}")
        names = result.stdout.split()
        for part in ("lk_prelu/fused/", "lk_swish/fused_bias/", "bn_relu/torch/", "/fp32/nchw/256x64x56x56/",
                     "/bf16/nhwc/128x256x14x14/", "/bf16/nc/8192x4096/"):
            self.assertTrue([name for name in names if part in name], part)
        self.assertLess(len(names), 300)

    def test_choose_some_of_the_layers_cases(self):
        steps = device.check_steps(None, Path())
        for name, least in (("layers", 700), ("layers under memcheck", 20)):
            [step] = [step for step in steps if step.name == name]
            listed = run(TESTS, "--gtest_list_tests", step.command[-1]).stdout
            self.assertGreaterEqual(listed.count("\n  "), least, name)


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
