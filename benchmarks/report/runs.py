"""What the benchmark programs and compare_torch_compile.py wrote, read into records."""

import json
import math
import statistics
from collections import defaultdict
from dataclasses import dataclass, replace

SECONDS = {"ns": 1e-9, "us": 1e-6, "ms": 1e-3, "s": 1.0}
COUNTERS = ("floor_bytes", "copy_percent", "allocated_bytes", "kept_bytes", "peak_MiB")
RIVALS = ("relu", "selu", "bn_relu")
STEPS = ("forward", "backward", "forward_backward")


@dataclass(frozen=True)
class Layer:
    """The name of a case of benchmark_layers."""

    activation: str
    variant: str
    step: str
    type: str
    format: str
    shape: str

    @property
    def fused(self):
        return self.variant.startswith("fused")

    @property
    def biased(self):
        return self.variant.endswith("_bias")

    @property
    def elements(self):
        return math.prod(int(size) for size in self.shape.split("x"))

    def wider(self, factor):
        """The same with so many times the channels."""
        batch, channels, *rest = self.shape.split("x")
        return replace(self, shape="x".join([batch, str(int(channels) * factor), *rest]))

    def rival(self, activation):
        return replace(self, activation=activation, variant="torch")


@dataclass(frozen=True)
class Network:
    """The name of a case of benchmark_networks."""

    network: str
    activation: str
    filters: str
    variant: str
    type: str
    format: str
    mode: str
    batch: str

    @property
    def setting(self):
        return f"{self.type}, {self.format}, {self.mode}"

    def reference(self):
        """Batch Normalization and ReLU in its place."""
        return replace(self, activation="bn_relu", filters="full", variant="torch")


KINDS = {"layer": Layer, "network": Network}


@dataclass(frozen=True)
class Result:
    seconds: float
    counters: dict


class Run:
    """One file. Of a case that was repeated it gives the median of the repetitions."""

    def __init__(self, path):
        self.path = path
        data = json.loads(path.read_text())
        if not isinstance(data, dict) or "context" not in data or not {"benchmarks", "rows"} & set(data):
            raise ValueError(f"{path}: expected a file of Google Benchmark (--benchmark_out), or of "
                             "compare_torch_compile.py")
        self.facts = data["context"]
        self.failed = {}
        repeated = defaultdict(list)
        # In the program's order, in which random interleaving does not leave them.
        entries = sorted(data.get("benchmarks", []), key=lambda each: each.get("family_index", 0))
        for entry in entries:
            if entry.get("run_type") == "aggregate":
                continue
            key = self._key(entry["run_name"])
            if entry.get("error_occurred"):
                self.failed[entry["run_name"]] = entry.get("error_message", "")
            else:
                repeated[key].append(entry)
        results = {key: self._median(entries) for key, entries in repeated.items()}
        self.layers = {key: value for key, value in results.items() if isinstance(key, Layer)}
        self.networks = {key: value for key, value in results.items() if isinstance(key, Network)}
        self.compared = data.get("rows", [])  # of compare_torch_compile.py

    def _key(self, name):
        kind, *parts = name.split("/")
        # What Google Benchmark appends to a name that we gave.
        parts = [part for part in parts if part != "manual_time" and ":" not in part]
        try:
            return KINDS[kind](*parts)
        except (KeyError, TypeError):
            raise ValueError(f"{self.path}: no case of ours is called {name}") from None

    @staticmethod
    def _median(entries):
        seconds = [entry["real_time"] * SECONDS[entry["time_unit"]] for entry in entries]
        counters = {name: statistics.median(entry[name] for entry in entries)
                    for name in COUNTERS if name in entries[0]}
        return Result(statistics.median(seconds), counters)

    @property
    def machine(self):
        processor = f"{self.facts['cpu']}, {self.facts['threads']} threads"
        return self.facts.get("gpu", processor)


def grouped(keys, *names):
    """Lists of the keys that agree in these attributes, by their values."""
    groups = defaultdict(list)
    for key in keys:
        groups[tuple(getattr(key, name) for name in names)].append(key)
    return groups
