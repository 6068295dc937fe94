"""Makes the functions of the joint layers: a linked activation and the layer behind it as one differentiable step."""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, Protocol

import torch
from torch import Tensor
from torch.nn import functional as F

from . import _composed, _operators

Size = int | Sequence[int]

CONVOLUTIONS: tuple[Callable[..., Tensor], ...] = (F.conv1d, F.conv2d, F.conv3d)


class Activation(NamedTuple):
    """An activation as its functions know it."""

    name: str
    optional: bool = False


class ConvFunction(Protocol):
    """A linked activation and a convolution. ``number`` is the activation's, by its name, if it has one."""

    def __call__(
        self, input: Tensor, weight: Tensor, bias: Tensor | None = None, stride: Size = 1, padding: Size | str = 0,
        dilation: Size = 1, groups: int = 1, *, input_bias: Tensor | None = None, **number: float,
    ) -> Tensor: ...


class WeightedConvFunction(Protocol):
    """A linked activation with weights, and a convolution."""

    def __call__(
        self, input: Tensor, weight_pos: Tensor, weight_neg: Tensor, weight: Tensor, bias: Tensor | None = None,
        stride: Size = 1, padding: Size | str = 0, dilation: Size = 1, groups: int = 1, *,
        input_bias: Tensor | None = None,
    ) -> Tensor: ...


class LinearFunction(Protocol):
    """A linked activation and a linear layer. ``number`` is the activation's, by its name, if it has one."""

    def __call__(
        self, input: Tensor, weight: Tensor, bias: Tensor | None = None, *, input_bias: Tensor | None = None,
        **number: float,
    ) -> Tensor: ...


class WeightedLinearFunction(Protocol):
    """A linked activation with weights, and a linear layer."""

    def __call__(
        self, input: Tensor, weight_pos: Tensor, weight_neg: Tensor, weight: Tensor, bias: Tensor | None = None, *,
        input_bias: Tensor | None = None,
    ) -> Tensor: ...


def functions_of(
    name: str, optional: bool = False,
) -> tuple[ConvFunction, ConvFunction, ConvFunction, LinearFunction]:
    """`<name>_conv1d`, `_conv2d`, `_conv3d` and `_linear` of an activation without weights.

    optional: whether it is one of those on request.
    """
    activation = Activation(name, optional)

    def convolution(axes: int) -> ConvFunction:
        def function(
            input: Tensor, weight: Tensor, bias: Tensor | None = None, stride: Size = 1, padding: Size | str = 0,
            dilation: Size = 1, groups: int = 1, *, input_bias: Tensor | None = None,
            **number: float,
        ) -> Tensor:
            return _convolution(
                activation, axes, input, (), weight, bias, stride, padding, dilation, groups, input_bias, number)

        return _named(function, name, axes)

    def linear(
        input: Tensor, weight: Tensor, bias: Tensor | None = None, *, input_bias: Tensor | None = None,
        **number: float,
    ) -> Tensor:
        return _linear(activation, input, (), weight, bias, input_bias, number)

    return convolution(1), convolution(2), convolution(3), _named(linear, name, 0)


def weighted_functions_of(
    name: str,
) -> tuple[WeightedConvFunction, WeightedConvFunction, WeightedConvFunction, WeightedLinearFunction]:
    """The same of an activation with weights."""
    activation = Activation(name)

    def convolution(axes: int) -> WeightedConvFunction:
        def function(
            input: Tensor, weight_pos: Tensor, weight_neg: Tensor, weight: Tensor, bias: Tensor | None = None,
            stride: Size = 1, padding: Size | str = 0, dilation: Size = 1, groups: int = 1, *,
            input_bias: Tensor | None = None,
        ) -> Tensor:
            weights = weight_pos, weight_neg
            return _convolution(
                activation, axes, input, weights, weight, bias, stride, padding, dilation, groups, input_bias, {})

        return _named(function, name, axes)

    def linear(
        input: Tensor, weight_pos: Tensor, weight_neg: Tensor, weight: Tensor, bias: Tensor | None = None, *,
        input_bias: Tensor | None = None,
    ) -> Tensor:
        return _linear(activation, input, (weight_pos, weight_neg), weight, bias, input_bias, {})

    return convolution(1), convolution(2), convolution(3), _named(linear, name, 0)


def _named(function: Any, name: str, axes: int) -> Any:
    """With a name and a description, as if it stood in functional.py.

    axes: those of the convolution; 0 for a linear layer.
    """
    behind = f"conv{axes}d" if axes else "linear"
    function.__name__ = function.__qualname__ = f"{name}_{behind}"
    function.__module__ = f"{__package__}.functional"
    function.__doc__ = (
        f":func:`{name}` along the channel axis, then ``torch.nn.functional.{behind}``, of which the input alone is\n"
        "kept for backward.\n\n"
        f"Shapes: ``input`` {'(N, C, ...) or (C, ...)' if axes else '(..., C)'}; ``weight`` and ``bias`` those of\n"
        f"``{behind}`` for 2C channels; ``input_bias`` (C), added to the input before the activation.")
    return function


def _convolution(
    activation: Activation, axes: int, input: Tensor, weights: tuple[Tensor, ...], weight: Tensor, bias: Tensor | None,
    stride: Size, padding: Size | str, dilation: Size, groups: int, input_bias: Tensor | None, number: dict[str, float],
) -> Tensor:
    name = f"{activation.name}_conv{axes}d"
    stride, dilation = _each(stride, axes), _each(dilation, axes)
    odd_axes: list[int] = []
    if padding == "valid":
        padding = 0
    elif padding == "same":
        if any(each != 1 for each in stride):
            raise RuntimeError(f"{name}: expected stride 1 with padding 'same', got {stride}")
        totals = [each * (size - 1) for each, size in zip(dilation, weight.shape[2:])]
        # Where both ends cannot have the same, the end has one more: the start gets it too, and its result goes.
        padding = [(total + 1) // 2 for total in totals]
        odd_axes = [axis - axes for axis, total in enumerate(totals) if total % 2]
    elif isinstance(padding, str):
        raise RuntimeError(f"{name}: expected padding to be numbers, 'same' or 'valid', got {padding!r}")
    padding = _each(padding, axes)
    if _operators.load(activation.optional):
        function = getattr(_operators.layers_of(activation.optional), name)
        y = function(input, *weights, weight, bias, stride, padding, dilation, groups, input_bias, **number)
    else:
        pair = _pair(activation.name, input, weights, weight, input_bias, -1 - axes, number)
        y = CONVOLUTIONS[axes - 1](pair, weight, bias, stride, padding, dilation, groups)
    for axis in odd_axes:
        y = y.narrow(axis, 1, y.size(axis) - 1)
    return y


def _linear(
    activation: Activation, input: Tensor, weights: tuple[Tensor, ...], weight: Tensor, bias: Tensor | None,
    input_bias: Tensor | None, number: dict[str, float],
) -> Tensor:
    if _operators.load(activation.optional):
        function = getattr(_operators.layers_of(activation.optional), f"{activation.name}_linear")
        y: Tensor = function(input, *weights, weight, bias, input_bias, **number)
        return y
    return F.linear(_pair(activation.name, input, weights, weight, input_bias, -1, number), weight, bias)


def _pair(
    name: str, input: Tensor, weights: tuple[Tensor, ...], weight: Tensor, input_bias: Tensor | None, dim: int,
    number: dict[str, float],
) -> Tensor:
    """What the layer behind is given, by PyTorch's own operators."""
    if input.dim() < -dim:
        raise RuntimeError(f"{name}: expected an input of {-dim} axes or more, got {input.dim()}")
    pair = getattr(_composed, name)(input, *weights, input_bias, dim, **number)
    return pair if pair.dtype == torch.double else pair.to(weight.dtype)


def _each(numbers: Size, axes: int) -> list[int]:
    return [numbers] * axes if isinstance(numbers, int | torch.SymInt) else [*numbers]
