#!/usr/bin/env python3
"""Times our operators against torch.compile of the composed expression, cat(g(x), g(-x)).

    compare_torch_compile.py build/benchmark/liblinked_neurons_torch_ops.so --output compile.json

Both run in one process, beside the composed expression in eager mode: the layers alone, forward
(without gradients) and forward + backward through autograd, and one training step of the
eight-convolution stack of benchmark_networks. Rivals take turns, one sample each, and must give
equal results before they are timed. The time is the median of the samples.

On the CPU a sample is as many calls as take 10 ms, wall time, behind one that is not timed: the
rivals' tensors have left the caches full of themselves. The allocator is settled before the first
tensor (the library's settle_allocator.h). On a GPU a sample is one call between two CUDA events,
the L2 overwritten before it.

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

import torch
from torch import nn
from torch.nn import functional as F

from compared import compared_tables
from machine import cpu

BASES = {"lk_relu": F.relu, "lk_prelu": F.prelu, "lk_selu": F.selu, "lk_swish": F.silu}
PASSES = ("forward", "forward_backward")
TYPES = {"fp32": torch.float, "bf16": torch.bfloat16, "fp16": torch.half}
FORMATS = {"nchw": torch.contiguous_format, "nhwc": torch.channels_last}
SHAPES = {"cpu": ("8x64x28x28", "32x64x56x56"),
          "cuda": ("256x64x56x56", "8192x4096", "128x256x14x14")}
LARGE = {"cpu": ("256x64x56x56",), "cuda": ()}
BATCHES = {"cpu": (1, 256, 28, 28), "cuda": (64, 256, 56, 56)}
LEAST_SAMPLE = 0.010  # seconds; CPU


class Clock:
    """Samples of a call's duration, in microseconds."""

    def __init__(self, device):
        self.is_cuda = device == "cuda"
        if self.is_cuda:
            cache = torch.cuda.get_device_properties(0).L2_cache_size
            self.flush = torch.empty(2 * cache, dtype=torch.uint8, device=device)

    def sample(self, call, count):
        if self.is_cuda:
            start, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
            self.flush.zero_()
            start.record()
            call()
            end.record()
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
        end = time.monotonic() + seconds
        gc.collect()
        gc.disable()
        while time.monotonic() < end or len(next(iter(samples.values()))) < 5:
            for name, call in calls.items():
                samples[name].append(self.sample(call, counts[name]))
        gc.enable()
        result = {f"{name}_us": statistics.median(each) for name, each in samples.items()}
        return {**result, "samples": len(next(iter(samples.values())))}


def composed(layer, z, *weights):
    base = BASES[layer]
    if weights:
        return torch.cat((base(z, weights[0]), base(-z, weights[1])), 1)
    return torch.cat((base(z), base(-z)), 1)


def layer_cases(args):
    for shape, kind, format in itertools.product(args.shapes, args.types, FORMATS):
        sizes = [int(size) for size in shape.split("x")]
        if len(sizes) != 4 and format != "nchw":
            continue
        for layer, step in itertools.product(BASES, PASSES):
            yield (f"layer/{layer}/{step}/{kind}/{format}/{shape}",
                   functools.partial(measure_layer, args, layer, step, kind, format, sizes))


def measure_layer(args, layer, step, kind, format, sizes):
    trains = step == "forward_backward"
    memory_format = FORMATS[format] if len(sizes) == 4 else torch.contiguous_format
    like = {"device": args.device, "dtype": TYPES[kind]}
    x = torch.randn(sizes, **like).contiguous(memory_format=memory_format)
    count = 2 if layer == "lk_prelu" else 0
    inputs = [x, *(torch.full((sizes[1],), 0.25, **like) for _ in range(count))]
    for tensor in inputs:
        tensor.requires_grad_(trains)
    expression = functools.partial(composed, layer)
    functions = {"ours": getattr(torch.ops.linked_neurons, layer), "eager": expression,
                 "compile": torch.compile(expression, dynamic=False)}
    grad = torch.randn_like(expression(*inputs))

    def run(function):
        y = function(*inputs)
        return (y, *torch.autograd.grad(y, inputs, grad)) if trains else (y,)

    calls = {name: functools.partial(run, function) for name, function in functions.items()}
    with torch.set_grad_enabled(trains):
        expected = calls["eager"]()
        for name in ("ours", "compile"):
            # The weights' gradients are sums over the whole tensor.
            for actual, other in zip(calls[name](), expected):
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
    yield (f"network/eight_conv/lk_relu/half/{kind}/nhwc/{batch}",
           functools.partial(measure_network, args))


def measure_network(args):
    batch = args.batch
    torch.manual_seed(100)
    images = torch.randn(batch, device=args.device).contiguous(memory_format=torch.channels_last)
    labels = torch.randint(10, batch[:1], device=args.device)
    width = batch[1]
    reference = eight_convolutions(width, 2, True, lambda count: ComposedReLU())
    variants = {
        "ours": ((width, 2, False, OurReLU), False),
        "ours_compiled": ((width, 2, False, OurReLU), True),
        "compile": ((width, 2, True, lambda count: ComposedReLU()), True),
        "eager": ((width, 2, True, lambda count: ComposedReLU()), False),
        "bn_relu": ((width, 1, False, lambda count: nn.Sequential(
            nn.BatchNorm2d(count), nn.ReLU())), False),
    }
    steps, peaks, losses = {}, {}, {}
    for name, (stack, compiled) in variants.items():
        before = torch.cuda.memory_allocated() if args.device == "cuda" else 0
        net = eight_convolutions(*stack)
        if name != "bn_relu":
            take_weights(net, reference)
        step = training_step(args, net, images, labels, compiled)
        losses[name] = [step().item() for _ in range(3)]
        if args.device == "cuda":
            torch.cuda.reset_peak_memory_stats()
            step()
            peaks[f"{name}_peak_mib"] = (torch.cuda.max_memory_allocated() - before) / 2**20
        steps[name] = step
    for name in variants.keys() - {"bn_relu"}:
        torch.testing.assert_close(losses[name], losses["eager"], rtol=1e-2, atol=0)
    return {**args.clock.medians(steps, 4 * args.seconds), **peaks}


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
    parser.add_argument("--output", metavar="FILE", help="write the figures there, as JSON")
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
             if re.search(args.filter, case[0])]
    if args.list:
        print(*(name for name, _ in cases), sep="\n")
        return
    if not cases:
        sys.exit(f"no case matches {args.filter!r}; --list names them")
    args.clock = Clock(args.device)
    rows = []
    for number, (name, measure) in enumerate(cases, 1):
        print(f"[{number}/{len(cases)}] {name}", file=sys.stderr, end=" ", flush=True)
        torch.compiler.reset()  # or a function would be compiled for a few shapes only
        rows.append({"case": name, **measure()})
        times = (f"{key.removesuffix('_us')} {value:.4g} µs" for key, value in rows[-1].items()
                 if key.endswith("_us"))
        print(*times, file=sys.stderr, sep=", ", flush=True)
        if args.output:  # after each case: a long run that is broken off has not been for nothing
            with open(args.output, "w") as file:
                json.dump({"context": context(args), "rows": rows}, file, indent=1)
                file.write("\n")
    print(*compared_tables(rows), sep="\n")


if __name__ == "__main__":
    main()
