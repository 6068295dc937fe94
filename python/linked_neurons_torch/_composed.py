"""The layers of PyTorch's own operators, one after another: for where the compiled ones cannot be had.

16-bit numbers become floats, and are rounded once, as in the compiled operators. TorchScript compiles
these functions too, and leaves the checks to what they call.
"""

import math
from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional as F

TYPES = (torch.double, torch.float, torch.half, torch.bfloat16)
SIXTEEN_BITS = (torch.half, torch.bfloat16)


def lk_relu(
    x: Tensor, bias: Tensor | None = None, dim: int = 1, keep_output: bool = False, keep_input: bool = False
) -> Tensor:
    z = _biased("lk_relu", x, bias, dim)
    return _linked(x, F.relu(z), F.relu(-z), dim)


def lk_prelu(
    x: Tensor, weight_pos: Tensor, weight_neg: Tensor, bias: Tensor | None = None, dim: int = 1,
    keep_input: bool = False
) -> Tensor:
    z = _biased("lk_prelu", x, bias, dim)
    if not torch.jit.is_scripting():
        _check_weights("lk_prelu", x, weight_pos, weight_neg, dim)
    pos = _broadcast(weight_pos, x, dim).to(z.dtype)
    neg = _broadcast(weight_neg, x, dim).to(z.dtype)
    return _linked(x, torch.where(z > 0, z, pos * z), torch.where(z < 0, -z, neg * -z), dim)


def lk_selu(
    x: Tensor, bias: Tensor | None = None, dim: int = 1, keep_output: bool = False, keep_input: bool = False
) -> Tensor:
    z = _biased("lk_selu", x, bias, dim)
    return _linked(x, F.selu(z), F.selu(-z), dim)


def lk_swish(
    x: Tensor, bias: Tensor | None = None, dim: int = 1, keep_output: bool = False, keep_input: bool = False
) -> Tensor:
    z = _biased("lk_swish", x, bias, dim)
    return _linked(x, _with_limits(z, F.silu(z)), _with_limits(-z, F.silu(-z)), dim)


def lk_sin_cos(
    x: Tensor, bias: Tensor | None = None, dim: int = 1, keep_output: bool = False, keep_input: bool = False
) -> Tensor:
    z = _biased("lk_sin_cos", x, bias, dim)
    return _linked(x, z.sin(), z.cos(), dim)


def lk_elu(
    x: Tensor, bias: Tensor | None = None, dim: int = 1, keep_output: bool = False, alpha: float = 1.0,
    keep_input: bool = False
) -> Tensor:
    if not torch.jit.is_scripting():
        _check_number("lk_elu", "alpha", alpha, 0)
    z = _biased("lk_elu", x, bias, dim)
    return _linked(x, F.elu(z, alpha), F.elu(-z, alpha), dim)


def lk_gelu(
    x: Tensor, bias: Tensor | None = None, dim: int = 1, keep_output: bool = False, keep_input: bool = False
) -> Tensor:
    z = _biased("lk_gelu", x, bias, dim)
    return _linked(x, _with_limits(z, F.gelu(z)), _with_limits(-z, F.gelu(-z)), dim)


def lk_gelu_tanh(
    x: Tensor, bias: Tensor | None = None, dim: int = 1, keep_output: bool = False, keep_input: bool = False
) -> Tensor:
    z = _biased("lk_gelu_tanh", x, bias, dim)
    pos, neg = F.gelu(z, approximate="tanh"), F.gelu(-z, approximate="tanh")
    return _linked(x, _with_limits(z, pos), _with_limits(-z, neg), dim)


def lk_hardswish(
    x: Tensor, bias: Tensor | None = None, dim: int = 1, keep_output: bool = False, keep_input: bool = False
) -> Tensor:
    z = _biased("lk_hardswish", x, bias, dim)
    return _linked(x, _with_limits(z, F.hardswish(z)), _with_limits(-z, F.hardswish(-z)), dim)


def lk_leaky_relu(
    x: Tensor, bias: Tensor | None = None, dim: int = 1, keep_output: bool = False, negative_slope: float = 0.01,
    keep_input: bool = False
) -> Tensor:
    if not torch.jit.is_scripting():
        _check_number("lk_leaky_relu", "negative_slope", negative_slope, -math.inf)
    z = _biased("lk_leaky_relu", x, bias, dim)
    return _linked(x, F.leaky_relu(z, negative_slope), F.leaky_relu(-z, negative_slope), dim)


def lk_mish(
    x: Tensor, bias: Tensor | None = None, dim: int = 1, keep_output: bool = False, keep_input: bool = False
) -> Tensor:
    z = _biased("lk_mish", x, bias, dim)
    return _linked(x, _with_limits(z, F.mish(z)), _with_limits(-z, F.mish(-z)), dim)


def lk_softplus(
    x: Tensor, bias: Tensor | None = None, dim: int = 1, keep_output: bool = False, keep_input: bool = False
) -> Tensor:
    z = _biased("lk_softplus", x, bias, dim)
    threshold = 40.0  # beyond which the result is z in double too
    return _linked(x, F.softplus(z, 1.0, threshold), F.softplus(-z, 1.0, threshold), dim)


def _with_limits(z: Tensor, y: Tensor) -> Tensor:
    """With the limits at both infinities, where PyTorch's own gives NaN."""
    return torch.where(z.isinf(), F.relu(z), y)


def _linked(x: Tensor, pos: Tensor, neg: Tensor, dim: int) -> Tensor:
    return torch.cat([pos, neg], dim).to(x.dtype)


def _biased(name: str, x: Tensor, bias: Tensor | None, dim: int) -> Tensor:
    """What the activation is applied to, in the type that computes."""
    if not torch.jit.is_scripting():
        _check_input(name, x, dim)
    z = x if x.dtype == torch.double else x.float()
    if bias is None:
        return z
    if not torch.jit.is_scripting():
        _check_bias(name, x, bias, dim)
    return z + _along_channels(bias, x, dim).to(z.dtype)


def _along_channels(values: Tensor, x: Tensor, dim: int) -> Tensor:
    """One number a channel, as it broadcasts against x."""
    axes_behind = -1 - dim if dim < 0 else x.dim() - 1 - dim
    return values.view([-1] + [1] * axes_behind)


def _broadcast(weight: Tensor, x: Tensor, dim: int) -> Tensor:
    """A weight, or C, or one an element, as they broadcast against x."""
    is_per_channel = weight.dim() == 1 and weight.size(0) == x.size(dim)
    return _along_channels(weight, x, dim) if is_per_channel else weight


def _check_input(name: str, x: Tensor, dim: int) -> None:
    if x.is_nested and x.layout != torch.jagged:
        raise RuntimeError(f"{name}: expected a tensor of one shape, got a nested one of layout {x.layout}")
    if x.layout not in (torch.strided, torch.jagged):
        raise RuntimeError(f"{name}: expected a strided tensor, got one of layout {x.layout}")
    if x.dtype not in TYPES:
        raise RuntimeError(f"{name}: expected a tensor of type Double, Float, Half or BFloat16, got {x.dtype}")
    if x.dim() == 0:
        raise RuntimeError(f"{name}: expected a tensor with a channel axis, got a scalar (a tensor of 0 axes)")
    if not -x.dim() <= dim < x.dim():
        raise RuntimeError(
            f"{name}: expected dim in [{-x.dim()}, {x.dim() - 1}] for a tensor of {x.dim()} axes, got {dim}")


def _check_parameter(name: str, which: str, parameter: Tensor, x: Tensor) -> None:
    if parameter.dtype != x.dtype and not (x.dtype in SIXTEEN_BITS and parameter.dtype == torch.float):
        alternative = " or Float" if x.dtype in SIXTEEN_BITS else ""
        raise RuntimeError(
            f"{name}: expected {which} of type {x.dtype}{alternative}, as the input, got {parameter.dtype}")
    if parameter.device != x.device:
        raise RuntimeError(f"{name}: expected {which} on {x.device}, as the input, got {parameter.device}")


def _check_bias(name: str, x: Tensor, bias: Tensor, dim: int) -> None:
    _check_parameter(name, "bias", bias, x)
    if bias.dim() != 1 or bias.size(0) != x.size(dim):
        raise RuntimeError(
            f"{name}: expected bias of shape [{x.size(dim)}] (the channels at dim {dim % x.dim()}), got "
            f"{_text(bias.shape)}")


def _check_number(name: str, which: str, number: float, least: float) -> None:
    if not number >= least:  # nor NaN
        raise RuntimeError(f"{name}: expected {which} to be a number of at least {least}, got {number}")


def _check_weights(name: str, x: Tensor, weight_pos: Tensor, weight_neg: Tensor, dim: int) -> None:
    channels, elements = x.size(dim), x.shape[1:]
    for which, weight in (("weight_pos", weight_pos), ("weight_neg", weight_neg)):
        _check_parameter(name, which, weight, x)
        if weight.shape not in ((), (1,), (channels,), elements):
            raise RuntimeError(
                f"{name}: expected {which} to have 1 weight, {channels} (the channels at dim {dim % x.dim()}) or "
                f"one an element (shape {_text(elements)}), got {weight.numel()} of shape {_text(weight.shape)}")
    if (weight_pos.shape or (1,)) != (weight_neg.shape or (1,)):
        raise RuntimeError(
            f"{name}: expected weight_pos and weight_neg of one shape, got {_text(weight_pos.shape)} and "
            f"{_text(weight_neg.shape)}")


def _text(sizes: Sequence[int]) -> str:
    return f"[{', '.join(map(str, sizes))}]"
