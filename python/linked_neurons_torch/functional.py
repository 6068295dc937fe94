"""The linked layers as functions, in the style of ``torch.nn.functional``.

All of them take a tensor of C channels at axis ``dim`` and return one of 2C: first g(x), then g(-x),
equal to ``torch.cat([g(x), g(-x)], dim)``.

The channel axis is 1 by default, as in a batch of images (N, C, H, W) or of vectors (N, C). Any other
axis has to be named, or the wrong one is doubled: ``dim=-3`` for one image (C, H, W), ``dim=-1`` for a
batch of sequences (N, L, C) and wherever channels come last.

Input: any shape of at least one axis; double, float, half or bfloat16; any strides. Output: the input's
type, device and memory format. ``bias``, one number a channel, is added to the input before the
activation (in float for 16-bit types, without a rounding in between). Its type is the input's; beside
a 16-bit input float is taken too. With ``keep_output`` LK-ReLU saves its output for backward, which the
next layer mostly keeps anyway, in place of two bits an element; with ``keep_input`` each saves its input, in place
of what it saves otherwise. Bad input raises a ``RuntimeError``.

``lk_relu_conv2d`` and so on are a linked layer and the convolution or linear layer behind it as one, of which the
input alone, of C channels, is kept for backward, and never the pair. They take what ``torch.nn.functional.conv2d``
takes, with ``weight_pos`` and ``weight_neg`` behind the input for LK-PReLU, and ``input_bias``. Their channels are on
the axis that the layer behind has them on.

The layers on request (``lk_elu``, ``lk_gelu``, ``lk_gelu_tanh``, ``lk_hardswish``, ``lk_leaky_relu``, ``lk_mish``,
``lk_softplus``) have operators of their own, which are compiled when the first of them is used. The number of an
activation that has one, ``alpha`` of ``lk_elu`` and ``negative_slope`` of ``lk_leaky_relu``, is an argument of these and
of the joint functions.
"""

import torch
from torch import Tensor

from . import _joint, _operators

__all__ = [
    "lk_elu", "lk_elu_conv1d", "lk_elu_conv2d", "lk_elu_conv3d", "lk_elu_linear",
    "lk_gelu", "lk_gelu_conv1d", "lk_gelu_conv2d", "lk_gelu_conv3d", "lk_gelu_linear",
    "lk_gelu_tanh", "lk_gelu_tanh_conv1d", "lk_gelu_tanh_conv2d", "lk_gelu_tanh_conv3d", "lk_gelu_tanh_linear",
    "lk_hardswish", "lk_hardswish_conv1d", "lk_hardswish_conv2d", "lk_hardswish_conv3d", "lk_hardswish_linear",
    "lk_leaky_relu", "lk_leaky_relu_conv1d", "lk_leaky_relu_conv2d", "lk_leaky_relu_conv3d", "lk_leaky_relu_linear",
    "lk_mish", "lk_mish_conv1d", "lk_mish_conv2d", "lk_mish_conv3d", "lk_mish_linear",
    "lk_prelu", "lk_prelu_conv1d", "lk_prelu_conv2d", "lk_prelu_conv3d", "lk_prelu_linear",
    "lk_relu", "lk_relu_conv1d", "lk_relu_conv2d", "lk_relu_conv3d", "lk_relu_linear",
    "lk_selu", "lk_selu_conv1d", "lk_selu_conv2d", "lk_selu_conv3d", "lk_selu_linear",
    "lk_silu",
    "lk_sin_cos", "lk_sin_cos_conv1d", "lk_sin_cos_conv2d", "lk_sin_cos_conv3d", "lk_sin_cos_linear",
    "lk_softplus", "lk_softplus_conv1d", "lk_softplus_conv2d", "lk_softplus_conv3d", "lk_softplus_linear",
    "lk_swish", "lk_swish_conv1d", "lk_swish_conv2d", "lk_swish_conv3d", "lk_swish_linear",
]


def lk_relu(
    x: Tensor, bias: Tensor | None = None, dim: int = 1, keep_output: bool = False, keep_input: bool = False
) -> Tensor:
    """LK-ReLU: g(x) = max(x, 0). The pair equals CReLU.

    Shapes: ``x`` (..., C, ...) with C at axis ``dim``; ``bias`` (C); the result (..., 2C, ...).

    >>> lk_relu(torch.tensor([[-1.0, 3.0]]))
    tensor([[0., 3., 1., 0.]])
    >>> lk_relu(torch.randn(8, 100, 64), dim=-1).shape
    torch.Size([8, 100, 128])
    """
    if not torch.jit.is_scripting():
        _operators.load()
    return _operators.layers.lk_relu(x, bias, dim, keep_output, keep_input=keep_input)


def lk_prelu(
    x: Tensor, weight_pos: Tensor, weight_neg: Tensor, bias: Tensor | None = None, dim: int = 1,
    keep_input: bool = False
) -> Tensor:
    """LK-PReLU: g(x) = x for x > 0, else weight * x, with ``weight_pos`` for g(x), ``weight_neg`` for g(-x).

    Shapes: ``x`` (..., C, ...) with C at axis ``dim``; ``bias`` (C); each weight (1), (C), or one number
    for each element (the sizes of ``x`` without axis 0); the result (..., 2C, ...). The weights' type is as
    the bias'.

    >>> lk_prelu(torch.tensor([[-1.0, 3.0]]), torch.tensor([0.5]), torch.tensor([0.25]))
    tensor([[-0.5000,  3.0000,  1.0000, -0.7500]])
    """
    if not torch.jit.is_scripting():
        _operators.load()
    return _operators.layers.lk_prelu(x, weight_pos, weight_neg, bias, dim, keep_input=keep_input)


def lk_selu(
    x: Tensor, bias: Tensor | None = None, dim: int = 1, keep_output: bool = False, keep_input: bool = False
) -> Tensor:
    """LK-SELU: g(x) = lambda * x for x > 0, else lambda * alpha * (exp(x) - 1), as ``torch.nn.functional.selu``.

    Shapes: ``x`` (..., C, ...) with C at axis ``dim``; ``bias`` (C); the result (..., 2C, ...).

    >>> lk_selu(torch.tensor([[-1.0, 3.0]]))
    tensor([[-1.1113,  3.1521,  1.0507, -1.6706]])
    """
    if not torch.jit.is_scripting():
        _operators.load()
    return _operators.layers.lk_selu(x, bias, dim, keep_output, keep_input=keep_input)


def lk_swish(
    x: Tensor, bias: Tensor | None = None, dim: int = 1, keep_output: bool = False, keep_input: bool = False
) -> Tensor:
    """LK-Swish: g(x) = x * sigmoid(x), as ``torch.nn.functional.silu``.

    Shapes: ``x`` (..., C, ...) with C at axis ``dim``; ``bias`` (C); the result (..., 2C, ...).

    >>> lk_swish(torch.tensor([[-1.0, 3.0]]))
    tensor([[-0.2689,  2.8577,  0.7311, -0.1423]])
    """
    if not torch.jit.is_scripting():
        _operators.load()
    return _operators.layers.lk_swish(x, bias, dim, keep_output, keep_input=keep_input)


def lk_sin_cos(
    x: Tensor, bias: Tensor | None = None, dim: int = 1, keep_output: bool = False, keep_input: bool = False
) -> Tensor:
    """LK-SinCos: (sin(x), cos(x)) in place of (g(x), g(-x)).

    Shapes: ``x`` (..., C, ...) with C at axis ``dim``; ``bias`` (C); the result (..., 2C, ...).

    >>> lk_sin_cos(torch.tensor([[-1.0, 3.0]]))
    tensor([[-0.8415,  0.1411,  0.5403, -0.9900]])
    """
    if not torch.jit.is_scripting():
        _operators.load()
    return _operators.layers.lk_sin_cos(x, bias, dim, keep_output, keep_input=keep_input)


def lk_elu(
    x: Tensor, bias: Tensor | None = None, dim: int = 1, keep_output: bool = False, alpha: float = 1.0,
    keep_input: bool = False
) -> Tensor:
    """LK-ELU: g(x) = x for x > 0, else alpha * (exp(x) - 1), alpha >= 0, as ``torch.nn.functional.elu``."""
    if not torch.jit.is_scripting():
        _operators.load(optional=True)
    return _operators.optional_layers.lk_elu(x, bias, dim, keep_output, alpha, keep_input=keep_input)


def lk_gelu(
    x: Tensor, bias: Tensor | None = None, dim: int = 1, keep_output: bool = False, keep_input: bool = False
) -> Tensor:
    """LK-GELU: g(x) = x * Phi(x), as ``torch.nn.functional.gelu``."""
    if not torch.jit.is_scripting():
        _operators.load(optional=True)
    return _operators.optional_layers.lk_gelu(x, bias, dim, keep_output, keep_input=keep_input)


def lk_gelu_tanh(
    x: Tensor, bias: Tensor | None = None, dim: int = 1, keep_output: bool = False, keep_input: bool = False
) -> Tensor:
    """LK-GELUTanh: g(x) as ``torch.nn.functional.gelu`` with its approximation "tanh"."""
    if not torch.jit.is_scripting():
        _operators.load(optional=True)
    return _operators.optional_layers.lk_gelu_tanh(x, bias, dim, keep_output, keep_input=keep_input)


def lk_hardswish(
    x: Tensor, bias: Tensor | None = None, dim: int = 1, keep_output: bool = False, keep_input: bool = False
) -> Tensor:
    """LK-Hardswish: g(x) = x * min(max(x + 3, 0), 6) / 6, as ``torch.nn.functional.hardswish``."""
    if not torch.jit.is_scripting():
        _operators.load(optional=True)
    return _operators.optional_layers.lk_hardswish(x, bias, dim, keep_output, keep_input=keep_input)


def lk_leaky_relu(
    x: Tensor, bias: Tensor | None = None, dim: int = 1, keep_output: bool = False, negative_slope: float = 0.01,
    keep_input: bool = False
) -> Tensor:
    """LK-LeakyReLU: g(x) = x for x > 0, else negative_slope * x, as ``torch.nn.functional.leaky_relu``."""
    if not torch.jit.is_scripting():
        _operators.load(optional=True)
    return _operators.optional_layers.lk_leaky_relu(x, bias, dim, keep_output, negative_slope, keep_input=keep_input)


def lk_mish(
    x: Tensor, bias: Tensor | None = None, dim: int = 1, keep_output: bool = False, keep_input: bool = False
) -> Tensor:
    """LK-Mish: g(x) = x * tanh(log(1 + exp(x))), as ``torch.nn.functional.mish``."""
    if not torch.jit.is_scripting():
        _operators.load(optional=True)
    return _operators.optional_layers.lk_mish(x, bias, dim, keep_output, keep_input=keep_input)


def lk_softplus(
    x: Tensor, bias: Tensor | None = None, dim: int = 1, keep_output: bool = False, keep_input: bool = False
) -> Tensor:
    """LK-Softplus: g(x) = log(1 + exp(x)), as ``torch.nn.functional.softplus``."""
    if not torch.jit.is_scripting():
        _operators.load(optional=True)
    return _operators.optional_layers.lk_softplus(x, bias, dim, keep_output, keep_input=keep_input)


lk_silu = lk_swish

lk_relu_conv1d, lk_relu_conv2d, lk_relu_conv3d, lk_relu_linear = _joint.functions_of("lk_relu")
lk_prelu_conv1d, lk_prelu_conv2d, lk_prelu_conv3d, lk_prelu_linear = _joint.weighted_functions_of("lk_prelu")
lk_selu_conv1d, lk_selu_conv2d, lk_selu_conv3d, lk_selu_linear = _joint.functions_of("lk_selu")
lk_swish_conv1d, lk_swish_conv2d, lk_swish_conv3d, lk_swish_linear = _joint.functions_of("lk_swish")
lk_sin_cos_conv1d, lk_sin_cos_conv2d, lk_sin_cos_conv3d, lk_sin_cos_linear = _joint.functions_of("lk_sin_cos")
lk_elu_conv1d, lk_elu_conv2d, lk_elu_conv3d, lk_elu_linear = _joint.functions_of("lk_elu", optional=True)
lk_gelu_conv1d, lk_gelu_conv2d, lk_gelu_conv3d, lk_gelu_linear = _joint.functions_of("lk_gelu", optional=True)
lk_gelu_tanh_conv1d, lk_gelu_tanh_conv2d, lk_gelu_tanh_conv3d, lk_gelu_tanh_linear = _joint.functions_of(
    "lk_gelu_tanh", optional=True)
lk_hardswish_conv1d, lk_hardswish_conv2d, lk_hardswish_conv3d, lk_hardswish_linear = _joint.functions_of(
    "lk_hardswish", optional=True)
lk_leaky_relu_conv1d, lk_leaky_relu_conv2d, lk_leaky_relu_conv3d, lk_leaky_relu_linear = _joint.functions_of(
    "lk_leaky_relu", optional=True)
lk_mish_conv1d, lk_mish_conv2d, lk_mish_conv3d, lk_mish_linear = _joint.functions_of("lk_mish", optional=True)
lk_softplus_conv1d, lk_softplus_conv2d, lk_softplus_conv3d, lk_softplus_linear = _joint.functions_of(
    "lk_softplus", optional=True)
