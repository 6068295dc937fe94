#!/usr/bin/env python3
"""What needs a GPU, for a machine that has one and little else, and that is lent for minutes.

    device.py pack FOLDER PROGRAM...                  where it was built: the target device_pack does it
    device.py check FOLDER [--output FOLDER]          there, within 5 minutes: tests, sanitizers, times of layers
    device.py compare FOLDER [--output FOLDER]        there, within 4 minutes: networks, torch.compile

There means a checkout, the packed folder, and PyTorch of the version that was built with under
python3. The output's folder (the packed one, if none is named) gets layers.json, networks.json and
torch-compile.json, which benchmarks/report/report.py reads as a CPU's, each with how the steps went, and
the programs' words in check.log and compare.log.
"""

import argparse
import importlib.util
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

REPORT = Path(__file__).resolve().parents[2] / "benchmarks/report"
SKIPPED = "no CUDA device"  # what a test says
LAST_LINES = 15  # of a step that did not pass, printed
MOST_BYTES = 64 << 20
OPERATORS = "liblinked_neurons_torch_ops.so"
# What every machine has.
RUNTIME = re.compile(r"(ld-linux.*|lib(c|dl|gcc_s|m|pthread|rt|stdc\+\+))\.so\b.*")
# What the PyTorch there has.
OF_TORCH = re.compile(r"lib(torch|c10|cu|nv).*\.so\b.*")

LAYERS = (r"^layer/.*/(fused|fused_bias|composed|torch)/forward_backward(_graph)?/(fp32|bf16)/.*/"
          r"(256x64x56x56|8192x4096|128x256x14x14)/")
NETWORKS = (r"^network/eight_conv/(lk_relu/half/(fused|fused_bias|fused_joint|composed)|"
            r"(relu|selu|bn_relu)/full/torch)/bf16/nhwc/(eager|graph)/")
COMPILED = r"/forward_backward/(fp32/nchw|bf16/nhwc)/|^network"


@dataclass
class Step:
    name: str
    seconds: int  # that it may take
    command: list  # of a packed program, a tool, or this Python
    environment: dict = field(default_factory=dict)


def check_steps(_, output):
    kernels = ["kernels_device_test"]
    sanitizer = ["compute-sanitizer", "--error-exitcode", "1"]
    on_device = {"LINKED_NEURONS_TEST_DEVICE": "cuda"}
    # The sanitizer sees the ends of what LibTorch allocates for one tensor each.
    apart = on_device | {"PYTORCH_NO_CUDA_MEMORY_CACHING": "1"}
    table = "--gtest_filter=Random/Layers.*:Chosen/Layers.*_float_channels_last*"
    some = "--gtest_filter=*_random_000?:*_random_001?"
    return [
        Step("kernels", 15, kernels),
        Step("kernels under memcheck", 45, [*sanitizer, "--tool", "memcheck", *kernels]),
        Step("kernels under racecheck", 45, [*sanitizer, "--tool", "racecheck", *kernels]),
        Step("graphs, streams, large tensors", 40, ["gpu_test"]),
        Step("layers", 40, ["layers_test", table], on_device),
        Step("layers under memcheck", 45, [*sanitizer, "--tool", "memcheck", "layers_test", some], apart),
        Step("times of layers", 70, ["benchmark_layers", "--device=cuda", "--benchmark_min_time=0.02",
                                     f"--benchmark_filter={LAYERS}", f"--benchmark_out={output / 'layers.json'}"]),
    ]


def compare_steps(folder, output):
    python = [sys.executable, str(REPORT / "compare_torch_compile.py"), str(folder / OPERATORS)]
    return [
        Step("networks", 90, ["benchmark_networks", "--device=cuda", f"--benchmark_filter={NETWORKS}",
                              f"--benchmark_out={output / 'networks.json'}"]),
        Step("torch.compile", 150, [*python, "--device", "cuda", "--seconds", "0.5", "--shapes", "256x64x56x56",
                                    "--filter", COMPILED, "--output", str(output / "torch-compile.json")]),
    ]


STEPS = {"check": check_steps, "compare": compare_steps}
RECORDS = {"check": ["layers.json"], "compare": ["networks.json", "torch-compile.json"]}


def libraries_of(file):
    """The paths of what it names itself, of these what is neither the system's nor PyTorch's."""
    dynamic = subprocess.run(["readelf", "-d", file], text=True, capture_output=True, check=True).stdout
    needed = re.findall(r"\(NEEDED\).*\[(.*)\]", dynamic)
    found = subprocess.run(["ldd", file], text=True, capture_output=True, check=True).stdout
    paths = dict(re.findall(r"^\s*(\S+) => (\S+)", found, re.MULTILINE))
    return [Path(paths[name]) for name in needed if not RUNTIME.fullmatch(name) and not OF_TORCH.fullmatch(name)]


def pack(folder, programs):
    """Programs, the libraries that they need, and no symbols that only a debugger reads."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    waiting = list(programs)
    while waiting:
        file = waiting.pop()
        packed = folder / file.name
        if not packed.exists():
            shutil.copy(file, packed)
            subprocess.run(["strip", "--strip-unneeded", packed], check=True)
            waiting += libraries_of(file)
    size = sum(file.stat().st_size for file in folder.iterdir())
    print(f"{folder}: {len(list(folder.iterdir()))} files, {size / 2**20:.1f} MiB")
    if size > MOST_BYTES:
        sys.exit(f"device.py: {folder} is larger than {MOST_BYTES >> 20} MiB")


def gpu():
    """Its name, or None."""
    try:
        query = ["nvidia-smi", "--query-gpu=name", "--format=csv,noheader"]
        return subprocess.run(query, text=True, capture_output=True, check=True).stdout.splitlines()[0]
    except (OSError, subprocess.CalledProcessError, IndexError):
        return None


def environment(folder):
    """Where the packed programs find their libraries, PyTorch's, and CUDA's, and the tools."""
    spec = importlib.util.find_spec("torch")
    if spec is None:
        sys.exit(f"device.py: {sys.executable} has no torch")
    torch = Path(spec.origin).parent
    libraries = [folder, torch / "lib", *sorted(torch.parent.glob("nvidia/*/lib")), Path("/usr/local/cuda/lib64")]
    path = [str(folder), os.environ["PATH"], "/usr/local/cuda/bin"]
    return os.environ | {"LD_LIBRARY_PATH": ":".join(map(str, libraries)), "PATH": ":".join(path)}


def run(step, variables):
    """What became of it (passed, failed, stopped when its time was over, missing), and its words."""
    program = shutil.which(step.command[0], path=variables["PATH"])
    if program is None:
        return "missing", f"no {step.command[0]}"
    # In a session of its own, so that what a sanitizer or torch.compile has started ends with it.
    with tempfile.TemporaryFile("w+") as words, subprocess.Popen(
            [program, *step.command[1:]], stdout=words, stderr=subprocess.STDOUT,
            env=variables | step.environment, start_new_session=True) as process:
        try:
            verdict = "passed" if process.wait(step.seconds) == 0 else "failed"
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            verdict = "stopped"
        words.seek(0)
        text = words.read()
    if SKIPPED in text:  # which is no success here
        verdict = "failed"
    return verdict, text


def read_record(path, device):
    """A record, of which a program that was stopped has written a part."""
    text = path.read_text() if path.exists() else ""
    for candidate in (text, text[:text.rfind("},") + 1] + "]}"):
        try:
            return json.loads(candidate)
        except ValueError:
            pass
    facts = {"device": "cuda", "gpu": device, "cpu": "unknown", "threads": os.cpu_count()}
    return {"context": facts, "benchmarks": []}


def run_steps(kind, folder, output):
    device = gpu()
    if device is None:
        sys.exit(f"device.py: {SKIPPED}")
    variables = environment(folder)
    output.mkdir(parents=True, exist_ok=True)
    for name in RECORDS[kind]:
        (output / name).unlink(missing_ok=True)
    print(device, flush=True)
    done = []
    with (output / f"{kind}.log").open("w") as log:
        for step in STEPS[kind](folder, output):
            start = time.monotonic()
            verdict, text = run(step, variables)
            log.write(f"=== {step.name}: {' '.join(step.command)}\n{text}\n")
            log.flush()
            done.append({"name": step.name, "result": verdict, "seconds": round(time.monotonic() - start, 1)})
            print(f"{step.name}: {verdict}, {done[-1]['seconds']} s", flush=True)
            if verdict != "passed":
                print(*text.splitlines()[-LAST_LINES:], sep="\n", flush=True)
            for name in RECORDS[kind]:  # after each step: the machine may be gone before the last one
                (output / name).write_text(json.dumps(read_record(output / name, device) | {"steps": done}, indent=1))
    return all(each["result"] == "passed" for each in done)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("pack", *STEPS))
    parser.add_argument("folder", type=Path, help="the packed one")
    parser.add_argument("programs", type=Path, nargs="*", help="for pack")
    parser.add_argument("--output", type=Path, help="for the records")
    arguments = parser.parse_args()
    folder = arguments.folder.resolve()
    if arguments.what == "pack":
        pack(folder, arguments.programs)
    elif not folder.is_dir():
        sys.exit(f"device.py: {folder} is no packed folder")
    elif not run_steps(arguments.what, folder, (arguments.output or folder).resolve()):
        sys.exit(1)


if __name__ == "__main__":
    main()
