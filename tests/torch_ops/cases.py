"""What the operators are tested with: arguments, a network, and the expressions they stand for."""

import functools
import itertools
import sys

import torch
from torch.nn import functional as F

SEED = 20171206


def twins(g):
    return lambda z, **number: (g(z, **number), g(-z, **number))


# both halves of each layer without weights
HALVES = {
    "lk_relu": twins(torch.relu),
    "lk_selu": twins(F.selu),
    "lk_swish": twins(F.silu),
    "lk_sin_cos": lambda z: (z.sin(), z.cos()),
}
LAYERS = ("lk_prelu", *HALVES)
# and of each layer on request
OPTIONAL_HALVES = {
    "lk_elu": twins(F.elu),
    "lk_gelu": twins(F.gelu),
    "lk_gelu_tanh": twins(functools.partial(F.gelu, approximate="tanh")),
    "lk_hardswish": twins(F.hardswish),
    "lk_leaky_relu": twins(F.leaky_relu),
    "lk_mish": twins(F.mish),
    "lk_softplus": twins(F.softplus),
}
ALL_LAYERS = (*LAYERS, *OPTIONAL_HALVES)
# Those of them that have a number, and another than the default.
NUMBERS = {"lk_elu": {"alpha": 0.5}, "lk_leaky_relu": {"negative_slope": 0.3}}
# Where a test has layers for their operators' sake: numbers, and an input that is saved, are among these. What their
# operators are made of are the same templates for all.
OPTIONAL = (*NUMBERS, "lk_mish")
VARIED = (*LAYERS, *OPTIONAL)

# name: sizes, dim, and what gives a contiguous tensor of these sizes its layout
LAYOUTS = {
    "contiguous": ((2, 3, 4, 5), 1, lambda x: x),
    "channels last": ((2, 3, 4, 5), 1, lambda x: x.contiguous(memory_format=torch.channels_last)),
    "last axis": ((4, 5, 3), -1, lambda x: x),
    "first axis": ((3, 7), 0, lambda x: x),
    "one axis": ((70,), 0, lambda x: x),
    "transposed": ((2, 3, 9), 1, lambda x: x.transpose(1, 2).contiguous().transpose(1, 2)),
    "one channel": ((3, 1, 8), 1, lambda x: x),
    "sliced": ((3, 4, 6), 1, lambda x: torch.cat([x, x], 2)[:, :, ::2]),
    "no elements": ((0, 3, 4), 1, lambda x: x),
}


def operator(layer):
    return getattr(torch.ops.linked_neurons, layer).default


def make(layer, layout="contiguous", bias=True, dtype=torch.double, weights="channel", grad=True):
    """The arguments of a layer's operator."""
    generator = torch.Generator().manual_seed(SEED)

    def values(*sizes):
        return torch.rand(sizes, generator=generator, dtype=torch.double)

    sizes, dim, lay_out = LAYOUTS[layout]
    channels = sizes[dim]
    # Away from 0, where a kink would mislead numerical differentiation.
    x = values(*sizes)
    x = lay_out(((x - 0.5).sign() * (x + 0.2)).to(dtype))
    tensors = [x]
    if layer == "lk_prelu":
        shape = {"one": (1,), "channel": (channels,), "element": sizes[1:]}[weights]
        tensors += [values(*shape).to(dtype), values(*shape).to(dtype)]
    if bias:
        tensors.append((values(channels) * 0.1).to(dtype))
    tensors = [tensor.requires_grad_(grad) for tensor in tensors]
    return (*tensors, *(() if bias else (None,)), dim)


def composed(layer, x, *rest, **number):
    """What the operator stands for, in LibTorch's own."""
    *weights, bias, dim = rest
    wide = torch.promote_types(x.dtype, torch.float)
    z = x.to(wide)

    def along_channels(values):
        return values.to(wide).view(-1, *[1] * (x.dim() - 1 - dim % x.dim()))

    if bias is not None:
        z = z + along_channels(bias)
    if weights:
        def half(z, weights):
            weights = weights.to(wide) if weights.dim() > 1 else along_channels(weights)
            return torch.where(z > 0, z, weights * z)

        y = half(z, weights[0]), half(-z, weights[1])
    else:
        y = (HALVES | OPTIONAL_HALVES)[layer](z, **number)
    return torch.cat(y, dim).to(x.dtype)


def outcome(function, args):
    """The result and all gradients."""
    args = [a.detach().requires_grad_() if isinstance(a, torch.Tensor) else a for a in args]
    y = function(*args)
    weights = torch.linspace(-1, 2, y.numel(), dtype=y.dtype).view(y.shape)
    inputs = [a for a in args if isinstance(a, torch.Tensor)]
    return [y, *torch.autograd.grad((y * weights).sum(), inputs)]


class Net(torch.nn.Module):
    """Each layer of VARIED once, with and without bias."""

    def __init__(self):
        super().__init__()
        generator = torch.Generator().manual_seed(SEED)
        for name, size in (("weight_pos", 3), ("weight_neg", 3), ("bias", 3), ("bias2", 6)):
            setattr(self, name, torch.nn.Parameter(torch.rand(size, generator=generator)))

    def forward(self, x):
        x = torch.ops.linked_neurons.lk_prelu(x, self.weight_pos, self.weight_neg, self.bias)
        x = torch.ops.linked_neurons.lk_relu(x, self.bias2)
        x = torch.ops.linked_neurons.lk_selu(x)
        x = torch.ops.linked_neurons.lk_swish(x, dim=-1, keep_input=True)
        x = torch.ops.linked_neurons.lk_sin_cos(x)
        x = torch.ops.linked_neurons.lk_elu(x, alpha=0.5)
        x = torch.ops.linked_neurons.lk_leaky_relu(x, negative_slope=0.3)
        return torch.ops.linked_neurons.lk_mish(x)

    def composed(self, x):
        x = composed("lk_prelu", x, self.weight_pos, self.weight_neg, self.bias, 1)
        x = composed("lk_relu", x, self.bias2, 1)
        x = composed("lk_selu", x, None, 1)
        x = composed("lk_swish", x, None, -1)
        x = composed("lk_sin_cos", x, None, 1)
        x = composed("lk_elu", x, None, 1, alpha=0.5)
        x = composed("lk_leaky_relu", x, None, 1, negative_slope=0.3)
        return composed("lk_mish", x, None, 1)


def load_operators():
    """Those of the libraries that the first two arguments of the program name."""
    for _ in range(2):
        torch.ops.load_library(sys.argv.pop(1))


def over(*axes):
    """Runs a test for each combination of the axes' values, as subtests."""

    def decorate(test):
        @functools.wraps(test)
        def run(self):
            for values in itertools.product(*axes):
                with self.subTest(values=values):
                    test(self, *values)

        return run

    return decorate
