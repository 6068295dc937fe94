"""What the joint layers' operators are tested with: arguments, a network, and the expressions they stand for."""

import torch
from cases import SEED, composed
from torch.nn import functional as F

SAME = ((1, 1), (1, 1), (1, 1), 1)
# name: the layer behind, sizes of the input, sizes of the weight, and a convolution's stride, padding, dilation, groups
JOINTS = {
    "conv1d": ("conv1d", (2, 3, 9), (4, 6, 3), ((2,), (1,), (1,), 1)),
    "conv2d": ("conv2d", (2, 3, 6, 5), (4, 6, 3, 3), SAME),
    "conv2d, all options": ("conv2d", (2, 3, 8, 7), (4, 3, 3, 2), ((2, 1), (2, 0), (1, 2), 2)),
    "conv2d of one image": ("conv2d", (3, 6, 5), (4, 6, 3, 3), SAME),
    "conv2d, channels last": ("conv2d", (2, 3, 6, 5), (4, 6, 3, 3), SAME),
    "conv3d": ("conv3d", (2, 2, 4, 5, 4), (3, 4, 2, 3, 2), ((1, 1, 1), (0, 1, 0), (1, 1, 1), 1)),
    "linear": ("linear", (5, 3), (4, 6), ()),
    "linear of sequences": ("linear", (2, 4, 3), (5, 6), ()),
    "linear of one vector": ("linear", (3,), (4, 6), ()),
    "no elements": ("conv2d", (0, 3, 6, 5), (4, 6, 3, 3), SAME),
}


def channel_axis(behind):
    return -1 if behind == "linear" else -1 - int(behind[4])


def make_joint(layer, case, bias=True, dtype=torch.double, slopes="channel", grad=True):
    """The arguments of a joint layer's operator: the tensors (or None), and the options behind them.

    The tensors are the input, the slopes of an activation that has some, the weight, the bias and the input's bias.
    """
    behind, sizes, weight_sizes, options = JOINTS[case]
    generator = torch.Generator().manual_seed(SEED)

    def values(*sizes):
        return torch.rand(sizes, generator=generator, dtype=torch.double)

    # Away from 0, where a kink would mislead numerical differentiation.
    x = values(*sizes)
    x = ((x - 0.5).sign() * (x + 0.2)).to(dtype)
    if case.endswith("channels last"):
        x = x.contiguous(memory_format=torch.channels_last)
    channels = sizes[channel_axis(behind)]
    tensors = [x]
    if layer == "lk_prelu":
        tensors += [values(1 if slopes == "one" else channels).to(dtype) for _ in range(2)]
    tensors.append((values(*weight_sizes) - 0.5).to(dtype))
    tensors += [(values(size) * 0.1).to(dtype) for size in (weight_sizes[0], channels)] if bias else [None, None]
    return [tensor if tensor is None else tensor.requires_grad_(grad) for tensor in tensors], options


def call(function, tensors, options, **number):
    """As the operators and the functions of the package take them."""
    *tensors, input_bias = tensors
    return function(*tensors, *options, input_bias=input_bias, **number)


def composed_joint(layer, case, tensors, options, **number):
    """The two layers one after the other, in LibTorch's own operators."""
    behind = JOINTS[case][0]
    x, *slopes, weight, bias, input_bias = tensors
    pair = composed(layer, x, *slopes, input_bias, channel_axis(behind), **number)
    return getattr(F, behind)(pair, weight, bias, *options)


class JointNet(torch.nn.Module):
    """A convolution and a linear layer, with slopes, a number, and biases of each kind."""

    def __init__(self):
        super().__init__()
        generator = torch.Generator().manual_seed(SEED)
        for name, sizes in (
            ("weight_pos", (3,)), ("weight_neg", (3,)), ("input_bias", (3,)),
            ("weight", (4, 6, 3, 3)), ("bias", (4,)), ("last_weight", (2, 8)),
        ):
            setattr(self, name, torch.nn.Parameter(torch.rand(sizes, generator=generator) - 0.5))

    def forward(self, x):
        x = torch.ops.linked_neurons.lk_prelu_conv2d(
            x.sin(), self.weight_pos, self.weight_neg, self.weight, self.bias, [1, 1], [1, 1],
            input_bias=self.input_bias)
        return torch.ops.linked_neurons.lk_elu_linear(x.movedim(1, -1), self.last_weight, alpha=0.5)

    def composed(self, x):
        x = composed("lk_prelu", x.sin(), self.weight_pos, self.weight_neg, self.input_bias, 1)
        x = F.conv2d(x, self.weight, self.bias, 1, 1)
        return F.linear(composed("lk_elu", x.movedim(1, -1), None, -1, alpha=0.5), self.last_weight)
