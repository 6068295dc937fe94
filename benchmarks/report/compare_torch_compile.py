#!/usr/bin/env python3
"""Times our operators against torch.compile of the composed expression, cat(g(x), g(-x)).

    compare_torch_compile.py build/benchmark/liblinked_neurons_torch_ops.so --output compile.json

Both run in one process, beside the composed expression in eager mode and, where the layer has no
weights, g(cat(x, -x)): the layers alone, forward (without gradients) and forward + backward through
autograd, and one training step of the eight-convolution stack of benchmark_networks. Rivals take
turns, one sample each, and must give equal results before they are timed. The time is the median of
the samples.

On the CPU a sample is as many calls as take 10 ms, wall time, behind one that is not timed: the
rivals' tensors have left the caches full of themselves. The allocator is settled before the first
tensor (the library's settle_allocator.h). On a GPU a sample is one call between two CUDA events, behind
a long read of other memory, as in measure.h: `waited_percent` of the samples may have the host's time
in them, since the device came to them before all was enqueued.

Inductor needs a C++ compiler and Python's headers (Debian's g++ and python3-dev).
"""

import argparse
import contextlib
import datetime
import functools
import gc
import itertools
import json
import platform
import re
import statistics
import sys
import time
from pathlib import Path

import torch
from torch import nn
from torch.nn import functional as F

from activations import LAYERS
from layer_tables import layer_sections
from machine import cpu
from network_tables import network_sections
from runs import Run

ALIASES = {"swish": "silu"}  # what LibTorch calls it
PAIRS = {"lk_sin_cos": lambda z: (z.sin(), z.cos())}  # that are no function and its negated twin
PASSES = ("forward", "forward_backward")
TYPES = {"fp32": torch.float, "bf16": torch.bfloat16, "fp16": torch.half}
FORMATS = {"nchw": torch.contiguous_format, "nhwc": torch.channels_last}
SHAPES = {"cpu": ("8x64x28x28", "32x64x56x56"),
          "cuda": ("256x64x56x56", "8192x4096", "128x256x14x14")}
LARGE = {"cpu": ("256x64x56x56",), "cuda": ()}
BATCHES = {"cpu": (1, 256, 28, 28), "cuda": (64, 256, 56, 56)}
LEAST_SAMPLE = 0.010  # seconds; CPU
CACHES = 16  # of a GPU's L2, as much other memory is read


class Clock:
    """Samples of a call's duration, in microseconds."""

    def __init__(self, device):
        self.is_cuda = device == "cuda"
        self.waited = False
        if self.is_cuda:
            cache = torch.cuda.get_device_properties(0).L2_cache_size
            self.other_memory = torch.ones(CACHES * cache // 4, device=device)

    def sample(self, call, count):
        if self.is_cuda:
            start, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
            self.other_memory.sum()
            start.record()
            call()
            end.record()
            self.waited = start.query()
            end.synchronize()
            return start.elapsed_time(end) * 1e3
        call()
        start = time.perf_counter()
        for _ in range(count):
            call()
        return (time.perf_counter() - start) / count * 1e6

    def count(self, call):
        """How many calls make a sample."""
        return max(1, round(LEAST_SAMPLE * 1e6 / self.sample(call, 1)))

    def medians(self, calls, seconds):
        """Of all calls, by their names; they take turns until the time is over."""
        for call in 3 * list(calls.values()):
            call()
        counts = {name: self.count(call) for name, call in calls.items()}
        samples = {name: [] for name in calls}
        waits = dict.fromkeys(calls, 0)
        end = time.monotonic() + seconds
        gc.collect()
        gc.disable()
        while time.monotonic() < end or len(next(iter(samples.values()))) < 5:
            for name, call in calls.items():
                samples[name].append(self.sample(call, counts[name]))
                waits[name] += self.waited
        gc.enable()
        medians = {name: {"real_time": statistics.median(each), "time_unit": "us", "samples": len(each)}
                   for name, each in samples.items()}
        if self.is_cuda:
            for name, result in medians.items():
                result["waited_percent"] = 100 * waits[name] / result["samples"]
        return medians


def operator(layer):
    return getattr(torch.ops.linked_neurons, layer)


def weights(layer):
    """How many it takes."""
    arguments = operator(layer).default._schema.arguments
    return sum(argument.name.startswith("weight_") for argument in arguments)


def base(layer):
    name = layer.removeprefix("lk_")
    return getattr(F, ALIASES.get(name, name))


def composed(layer, z, *of_each_half):
    if layer in PAIRS:
        return torch.cat(PAIRS[layer](z), 1)
    g = base(layer)
    if of_each_half:
        pos, neg = of_each_half
        return torch.cat((g(z, pos), g(-z, neg)), 1)
    return torch.cat((g(z), g(-z)), 1)


def composed_cat(layer, z):
    return base(layer)(torch.cat((z, -z), 1))


def layer_cases(args):
    for shape, kind, format in itertools.product(args.shapes, args.types, FORMATS):
        sizes = [int(size) for size in shape.split("x")]
        if len(sizes) != 4 and format != "nchw":
            continue
        for layer, step in itertools.product(LAYERS, PASSES):
            yield (f"layer/{layer}/{{}}/{step}/{kind}/{format}/{shape}",
                   functools.partial(measure_layer, args, layer, step, kind, format, sizes))


def measure_layer(args, layer, step, kind, format, sizes):
    trains = step == "forward_backward"
    memory_format = FORMATS[format] if len(sizes) == 4 else torch.contiguous_format
    like = {"device": args.device, "dtype": TYPES[kind]}
    x = torch.randn(sizes, **like).contiguous(memory_format=memory_format)
    inputs = [x, *(torch.full((sizes[1],), 0.25, **like) for _ in range(weights(layer)))]
    for tensor in inputs:
        tensor.requires_grad_(trains)
    expression = functools.partial(composed, layer)
    functions = {"fused": operator(layer), "composed": expression,
                 "compiled": torch.compile(expression, dynamic=False)}
    if not weights(layer) and layer not in PAIRS:
        functions["composed_cat"] = functools.partial(composed_cat, layer)
    grad = torch.randn_like(expression(*inputs))

    def run(function):
        y = function(*inputs)
        return (y, *torch.autograd.grad(y, inputs, grad)) if trains else (y,)

    calls = {name: functools.partial(run, function) for name, function in functions.items()}
    with torch.set_grad_enabled(trains):
        expected = calls["composed"]()
        for call in calls.values():
            # The weights' gradients are sums over the whole tensor.
            for actual, other in zip(call(), expected):
                scale = other.abs().max().item()
                tolerance = 1e-5 if kind == "fp32" else 2e-2
                torch.testing.assert_close(actual, other, rtol=tolerance, atol=tolerance * scale)
        return args.clock.medians(calls, args.seconds)


class OurReLU(nn.Module):
    """LK-ReLU by our operator, with the convolution's bias in it."""

    def __init__(self, channels):
        super().__init__()
        self.bias = nn.Parameter(torch.empty(channels))

    def forward(self, x):
        return torch.ops.linked_neurons.lk_relu(x, self.bias)


class ComposedReLU(nn.Module):
    def forward(self, x):
        return composed("lk_relu", x)


def eight_convolutions(width, expansion, bias, activation):
    """As benchmarks/network.cpp has it."""
    layers = []
    for _ in range(8):
        count = width // expansion
        layers += [nn.Conv2d(width, count, 3, padding=1, bias=bias), activation(count)]
    return nn.Sequential(
        *layers, nn.Conv2d(width, 10, 1), nn.AdaptiveAvgPool2d(1), nn.Flatten())


def take_weights(net, source):
    """Those of the same stack with the biases in the convolutions: they come in the same order."""
    with torch.no_grad():
        for ours, theirs in zip(net.parameters(), source.parameters(), strict=True):
            ours.copy_(theirs)


def training_step(args, net, images, labels, compiled):
    net = net.to(args.device, memory_format=torch.channels_last)
    optimizer = torch.optim.SGD(net.parameters(), lr=1e-3)

    def loss_of(images):
        with torch.autocast("cuda", torch.bfloat16) if args.device == "cuda" else contextlib.nullcontext():
            scores = net(images)
        return F.cross_entropy(scores.float(), labels)

    forward = torch.compile(loss_of, dynamic=False) if compiled else loss_of

    def step():
        optimizer.zero_grad()
        loss = forward(images)
        loss.backward()
        optimizer.step()
        return loss.detach()

    return step


def network_cases(args):
    batch = "x".join(map(str, args.batch))
    kind = "bf16" if args.device == "cuda" else "fp32"
    yield (f"network/eight_conv/{{}}/{kind}/nhwc/eager/{batch}",
           functools.partial(measure_network, args))


def measure_network(args):
    batch = args.batch
    torch.manual_seed(100)
    images = torch.randn(batch, device=args.device).contiguous(memory_format=torch.channels_last)
    labels = torch.randint(10, batch[:1], device=args.device)
    width = batch[1]
    reference = eight_convolutions(width, 2, True, lambda count: ComposedReLU())
    # What one step is made of, and whether it is compiled.
    ours = width, 2, False, OurReLU
    composed_stack = width, 2, True, lambda count: ComposedReLU()
    normalised = width, 1, False, lambda count: nn.Sequential(nn.BatchNorm2d(count), nn.ReLU())
    variants = {
        "lk_relu/half/fused_bias": (ours, False),
        "lk_relu/half/fused_bias_compiled": (ours, True),
        "lk_relu/half/composed": (composed_stack, False),
        "lk_relu/half/compiled": (composed_stack, True),
        "bn_relu/full/torch": (normalised, False),
    }
    steps, peaks, losses = {}, {}, {}
    for name, (stack, compiled) in variants.items():
        before = torch.cuda.memory_allocated() if args.device == "cuda" else 0
        net = eight_convolutions(*stack)
        if stack is not normalised:
            take_weights(net, reference)
        step = training_step(args, net, images, labels, compiled)
        steps[name] = step
        losses[name] = [step().item() for _ in range(3)]
        peaks[name] = {}
        if args.device == "cuda":
            torch.cuda.reset_peak_memory_stats()
            step()
            peaks[name]["peak_MiB"] = (torch.cuda.max_memory_allocated() - before) / 2**20
        if stack is not normalised:
            torch.testing.assert_close(losses[name], losses["lk_relu/half/fused_bias"], rtol=1e-2, atol=0)
    medians = args.clock.medians(steps, 4 * args.seconds)
    return {name: {**medians[name], **peaks[name]} for name in steps}


def context(args):
    facts = {"date": datetime.datetime.now().astimezone().isoformat(timespec="seconds"),
             "cpu": cpu(), "threads": torch.get_num_threads(),
             "cpu_capability": torch.backends.cpu.get_cpu_capability(),
             "python": platform.python_version(), "libtorch": torch.__version__,
             "allocator_settled": args.settled, "seconds_a_case": args.seconds}
    if args.device == "cuda":
        facts |= {"gpu": torch.cuda.get_device_name(), "cuda": torch.version.cuda,
                  "cudnn": torch.backends.cudnn.version()}
    return facts


def parsed_arguments():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("library", help="the shared library linked_neurons_torch_ops")
    parser.add_argument("--output", type=Path, metavar="FILE",
                        help="write the figures there, as JSON like that of Google Benchmark")
    parser.add_argument("--filter", default="", metavar="REGEX", help="only the cases that match")
    parser.add_argument("--list", action="store_true", help="name the cases and stop")
    parser.add_argument("--device", choices=("cpu", "cuda"),
                        default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--threads", type=int, help="of the CPU (default: LibTorch's choice)")
    parser.add_argument("--types", nargs="+", choices=TYPES,
                        help="default: fp32 on the CPU, fp32 bf16 on a GPU")
    parser.add_argument("--shapes", nargs="+", metavar="AxBxC", help="of the layers' inputs")
    parser.add_argument("--large", action="store_true", help="on the CPU, 256x64x56x56 too")
    parser.add_argument("--batch", metavar="AxBxCxD", help="of the training step")
    parser.add_argument("--seconds", type=float, default=2, help="a case (default: %(default)s); "
                        "five samples are the least, and the training step takes four times as long")
    args = parser.parse_args()
    args.types = args.types or (["fp32"] if args.device == "cpu" else ["fp32", "bf16"])
    args.shapes = args.shapes or SHAPES[args.device] + (LARGE[args.device] if args.large else ())
    args.batch = (tuple(map(int, args.batch.split("x"))) if args.batch else BATCHES[args.device])
    return args


def main():
    args = parsed_arguments()
    torch.ops.load_library(args.library)
    args.settled = torch.ops.linked_neurons.settle_allocator()
    if args.threads:
        torch.set_num_threads(args.threads)
    cases = [case for case in itertools.chain(layer_cases(args), network_cases(args))
             if re.search(args.filter, case[0].format("*"))]
    if args.list:
        print(*(name.format("*") for name, _ in cases), sep="\n")
        return
    if not cases:
        sys.exit(f"no case matches {args.filter!r}; --list names them")
    args.clock = Clock(args.device)
    data = {"context": context(args), "benchmarks": []}
    for number, (name, measure) in enumerate(cases, 1):
        print(f"[{number}/{len(cases)}] {name.format('*')}", file=sys.stderr, end=" ", flush=True)
        torch.compiler.reset()  # or a function would be compiled for a few shapes only
        results = measure()
        data["benchmarks"] += [{"run_name": name.format(variant), **result}
                               for variant, result in results.items()]
        times = (f"{variant} {result['real_time']:.4g} µs" for variant, result in results.items())
        print(*times, file=sys.stderr, sep=", ", flush=True)
        if args.output:  # after each case: a long run that is broken off has not been for nothing
            args.output.write_text(json.dumps(data, indent=1) + "\n")
    run = Run(args.output, data)
    print(*layer_sections(run), *network_sections(run, [run]), sep="\n")


if __name__ == "__main__":
    main()
