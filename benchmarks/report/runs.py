"""What the benchmark programs and compare_torch_compile.py wrote, read into records."""

import json
import math
import statistics
from collections import defaultdict
from dataclasses import dataclass, replace

SECONDS = {"ns": 1e-9, "us": 1e-6, "ms": 1e-3, "s": 1.0}
COUNTERS = ("floor_bytes", "copy_percent", "allocated_bytes", "kept_bytes", "peak_MiB")
STEPS = ("forward", "backward", "forward_backward")
TYPE_BYTES = {"fp32": 4, "tf32": 4, "bf16": 2, "fp16": 2}


class Case:
    """What the names of both kinds have in common."""

    @property
    def fused(self):
        return self.variant.startswith("fused")


@dataclass(frozen=True)
class Layer(Case):
    """The name of a case of benchmark_layers."""

    activation: str
    variant: str
    step: str
    type: str
    format: str
    shape: str

    @property
    def biased(self):
        return self.variant.endswith("_bias")

    @property
    def elements(self):
        return product(self.shape)

    @property
    def mebibytes(self):
        return self.elements * TYPE_BYTES[self.type] / 2**20

    def wider(self, factor):
        """The same with so many times the channels."""
        batch, channels, *rest = self.shape.split("x")
        return replace(self, shape="x".join([batch, str(int(channels) * factor), *rest]))

    def by(self, variant):
        """The same result by other means."""
        return replace(self, variant=variant + ("_bias" if self.biased else ""))

    def built_in(self, activation):
        return replace(self, activation=activation, variant="torch")


@dataclass(frozen=True)
class Network(Case):
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

    def by(self, variant):
        """The same result by other means."""
        return replace(self, variant=variant)


KINDS = {"layer": Layer, "network": Network}


@dataclass(frozen=True)
class Result:
    """Medians, and how far the repetitions lie apart."""

    seconds: float
    fastest: float
    slowest: float
    counters: dict

    @classmethod
    def of(cls, entries):
        seconds = [entry["real_time"] * SECONDS[entry["time_unit"]] for entry in entries]
        counters = {name: statistics.median(entry[name] for entry in entries)
                    for name in COUNTERS if name in entries[0]}
        return cls(statistics.median(seconds), min(seconds), max(seconds), counters)

    @property
    def repeated(self):
        return self.fastest < self.slowest

    def overlaps(self, other):
        """Whether some repetition of either was as fast as some of the other."""
        return self.fastest <= other.slowest and other.fastest <= self.slowest


class Run:
    """One file. Of a case that was repeated it gives the median of the repetitions."""

    def __init__(self, path, data=None):
        self.path = path
        data = data or json.loads(path.read_text())
        if not isinstance(data, dict) or not {"context", "benchmarks"} <= set(data):
            raise ValueError(f"{path}: expected a file of Google Benchmark's kind, from "
                             "--benchmark_out, or from compare_torch_compile.py's --output")
        self.facts = data["context"]
        self.steps = data.get("steps", [])  # of tests/device/device.py
        self.failed = {}
        repeated = defaultdict(list)
        # In the program's order, in which random interleaving does not leave them.
        for entry in sorted(data["benchmarks"], key=lambda each: each.get("family_index", 0)):
            if entry.get("run_type") == "aggregate":
                continue
            key = self._key(entry["run_name"])
            if entry.get("error_occurred"):
                self.failed[entry["run_name"]] = entry.get("error_message", "")
            else:
                repeated[key].append(entry)
        results = {key: Result.of(entries) for key, entries in repeated.items()}
        self.layers = {key: value for key, value in results.items() if isinstance(key, Layer)}
        self.networks = {key: value for key, value in results.items() if isinstance(key, Network)}

    def _key(self, name):
        kind, *parts = name.split("/")
        # What Google Benchmark appends to a name that we gave.
        parts = [part for part in parts if part != "manual_time" and ":" not in part]
        try:
            return KINDS[kind](*parts)
        except (KeyError, TypeError):
            raise ValueError(f"{self.path}: no case of ours is called {name}") from None

    @property
    def machine(self):
        processor = f"{self.facts['cpu']}, {self.facts['threads']} threads"
        return self.facts.get("gpu", processor)


def product(shape):
    """The number of elements."""
    return math.prod(int(size) for size in shape.split("x"))


def grouped(keys, *names):
    """Lists of the keys that agree in these attributes, by their values."""
    groups = defaultdict(list)
    for key in keys:
        groups[tuple(getattr(key, name) for name in names)].append(key)
    return groups


def rival_variants(keys):
    """The ways other than ours to a linked layer's result."""
    return list(dict.fromkeys(key.variant.removesuffix("_bias") for key in keys
                              if not key.fused and key.variant != "torch"))


def built_in(keys):
    """LibTorch's own activations."""
    return list(dict.fromkeys(key.activation for key in keys if key.variant == "torch"))


def rivals(results, key):
    """Results of the other ways to what `key` computes, by variant, the fastest first."""
    found = {variant: results[key.by(variant)] for variant in rival_variants(results)
             if key.by(variant) in results}
    return dict(sorted(found.items(), key=lambda item: item[1].seconds))


def slowdown(found):
    """How many times as long as in eager mode the composed layer takes where torch.compile makes it
    slower, of the results that rivals() found; else None."""
    eager = [result.seconds for variant, result in found.items() if variant != "compiled"]
    if "compiled" in found and eager and found["compiled"].seconds > min(eager):
        return found["compiled"].seconds / min(eager)
    return None
