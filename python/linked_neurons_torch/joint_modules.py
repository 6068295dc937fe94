"""The joint layers as modules: a linked activation and the layer behind it as one, which keeps its input alone."""

from collections.abc import Sequence
from typing import Any, ClassVar

import torch
from torch import Tensor, nn
from torch.nn import Parameter
from torch.nn import functional as F

from . import _operators, functional
from ._joint import CONVOLUTIONS, Size
from .modules import (
    LKELU, LKGELU, LKGELUTanh, LKHardswish, LinkedLayer, LKLeakyReLU, LKMish, LKPReLU, LKReLU, LKSELU, LKSinCos,
    LKSoftplus, LKSwish)

Device = torch.device | str | None


class JointLayer(nn.Module):
    """What the joint layers share: the activation's parameters beside those of the layer behind.

    The parameters ``weight`` and ``bias`` have the names, shapes and initial values that ``torch.nn.Conv2d(2 *
    in_channels, ...)`` or ``torch.nn.Linear(2 * in_features, ...)`` has. Those of the activation are ``weight_pos`` and
    ``weight_neg``, if it has weights, and ``input_bias``, if asked for.
    """

    #: The class of the activation, and the name of its function.
    activation: ClassVar[type[LinkedLayer]]
    layer: ClassVar[str]
    #: The class of the layer behind, of torch.nn.
    behind: ClassVar[Any]

    weight: Parameter
    bias: Parameter | None
    weight_pos: Parameter | None
    weight_neg: Parameter | None
    input_bias: Parameter | None
    init: float

    def _join(self, linked: LinkedLayer, behind: Any) -> None:
        """Takes their parameters, the same tensors."""
        self.init = getattr(linked, "init", 0.25)
        if linked.number_name:
            setattr(self, linked.number_name, getattr(linked, linked.number_name))
        for name, parameter in (
            ("weight", behind.weight), ("bias", behind.bias), ("weight_pos", getattr(linked, "weight_pos", None)),
            ("weight_neg", getattr(linked, "weight_neg", None)), ("input_bias", linked.bias),
        ):
            self.register_parameter(name, parameter)

    def _make_activation(
        self, channels: int, input_bias: bool, num_parameters: int, init: float, shape: Sequence[int], device: Device,
        dtype: torch.dtype | None, number: dict[str, float],
    ) -> LinkedLayer:
        bias = channels if input_bias else 0
        if issubclass(self.activation, LKPReLU):
            return self.activation(num_parameters, init, shape=shape, bias=bias, device=device, dtype=dtype, **number)
        if num_parameters != 1 or shape:
            raise ValueError(
                f"{type(self).__name__}: expected no num_parameters and no shape, since {self.activation.__name__} has "
                f"no weights, got {num_parameters} and {shape}")
        return self.activation(bias=bias, device=device, dtype=dtype, **number)

    def reset_parameters(self) -> None:
        """Sets the parameters to initial values, as the two layers do."""
        self.behind.reset_parameters(self)
        for weight in self._weights:
            nn.init.constant_(weight, self.init)
        if self.input_bias is not None:
            nn.init.zeros_(self.input_bias)

    @property
    def _weights(self) -> tuple[Tensor, ...]:
        return () if self.weight_pos is None or self.weight_neg is None else (self.weight_pos, self.weight_neg)

    @property
    def _number(self) -> dict[str, float]:
        name = self.activation.number_name
        return {name: getattr(self, name)} if name else {}

    def _function(self, behind: str = "") -> Any:
        """The activation's function, or that of the joint layer."""
        return getattr(functional, f"{self.layer}{behind}")

    def _pair(self, input: Tensor, dim: int) -> Tensor:
        pair: Tensor = self._function()(input, *self._weights, self.input_bias, dim, **self._number)
        return pair if pair.dtype == torch.double else pair.to(self.weight.dtype)

    def extra_repr(self) -> str:
        text: str = self.behind.extra_repr(self)
        for name, value in self._number.items():
            text += f", {name}={value:g}"
        if self.input_bias is not None:
            text += ", input_bias=True"
        return text + (f", weight_pos={list(self.weight_pos.shape)}" if self.weight_pos is not None else "")

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)
        _operators.load(self.activation.optional)


class JointConv(JointLayer):
    """A linked activation and a convolution as one layer, which keeps its input alone for backward.

    Shapes: input (N, C, ...) or (C, ...), output as the convolution's of 2C channels. Parameters: those of
    :class:`JointLayer`.

    Args:
        in_channels: C, of the input. The convolution has twice as many.
        out_channels, kernel_size, stride, padding, dilation, groups, bias, padding_mode: as ``torch.nn.Conv2d`` takes
            them. Zeros are padding of the pair, the other modes pad the input.
        input_bias: whether to train a bias for each channel of the input, added before the activation.
        num_parameters, init, shape: of an activation with weights, as :class:`LKPReLU` takes them.
        number: that of an activation that has one, by its name: ``alpha``, as :class:`LKELU` takes it.
    """

    def __init__(
        self, in_channels: int, out_channels: int, kernel_size: Size, stride: Size = 1, padding: Size | str = 0,
        dilation: Size = 1, groups: int = 1, bias: bool = True, padding_mode: str = "zeros", device: Device = None,
        dtype: torch.dtype | None = None, *, input_bias: bool = False, num_parameters: int = 1, init: float = 0.25,
        shape: Sequence[int] = (), **number: float,
    ) -> None:
        super().__init__()
        self._join(
            self._make_activation(in_channels, input_bias, num_parameters, init, shape, device, dtype, number),
            self.behind(
                2 * in_channels, out_channels, kernel_size, stride, padding, dilation, groups, bias, padding_mode,
                device, dtype))

    def _join(self, linked: LinkedLayer, behind: Any) -> None:
        super()._join(linked, behind)
        self.in_channels: int = behind.in_channels // 2
        self.out_channels: int = behind.out_channels
        self.kernel_size: tuple[int, ...] = behind.kernel_size
        self.stride: tuple[int, ...] = behind.stride
        self.padding: tuple[int, ...] | str = behind.padding
        self.dilation: tuple[int, ...] = behind.dilation
        self.output_padding: tuple[int, ...] = behind.output_padding  # zeros, which extra_repr looks at
        self.groups: int = behind.groups
        self.padding_mode: str = behind.padding_mode

    def forward(self, input: Tensor) -> Tensor:
        axes = len(self.kernel_size)
        padding = self.padding
        if self.padding_mode != "zeros":
            # Padding and activation may change places, but for weights of one number an element.
            if self.weight_pos is not None and self.weight_pos.dim() > 1:
                pair = F.pad(self._pair(input, -1 - axes), self._ends(), self.padding_mode)
                return CONVOLUTIONS[axes - 1](pair, self.weight, self.bias, self.stride, 0, self.dilation, self.groups)
            input = F.pad(input, self._ends(), self.padding_mode)
            padding = "valid"
        y: Tensor = self._function(f"_conv{axes}d")(
            input, *self._weights, self.weight, self.bias, self.stride, padding, self.dilation, self.groups,
            input_bias=self.input_bias, **self._number)
        return y

    def _ends(self) -> list[int]:
        """The padding as torch.nn.functional.pad takes it: at both ends of each axis, the last axis first."""
        ends: list[int] = []
        for axis in reversed(range(len(self.kernel_size))):
            if isinstance(self.padding, str):
                total = self.dilation[axis] * (self.kernel_size[axis] - 1) if self.padding == "same" else 0
                ends += [total // 2, total - total // 2]
            else:
                ends += [self.padding[axis]] * 2
        return ends


class JointLinear(JointLayer):
    """A linked activation and a linear layer as one layer, which keeps its input alone for backward.

    Shapes: input (..., C), output (..., ``out_features``). Parameters: those of :class:`JointLayer`.

    Args:
        in_features: C, of the input. The linear layer has twice as many.
        out_features, bias: as ``torch.nn.Linear`` takes them.
        input_bias: whether to train a bias for each feature of the input, added before the activation.
        num_parameters, init, shape: of an activation with weights, as :class:`LKPReLU` takes them.
        number: that of an activation that has one, by its name: ``alpha``, as :class:`LKELU` takes it.
    """

    #: The channel axis of the activation. From link() it may be 1: for inputs in which that is not the last axis, the
    #: two are computed one after the other.
    dim: int

    def __init__(
        self, in_features: int, out_features: int, bias: bool = True, device: Device = None,
        dtype: torch.dtype | None = None, *, input_bias: bool = False, num_parameters: int = 1, init: float = 0.25,
        shape: Sequence[int] = (), **number: float,
    ) -> None:
        super().__init__()
        self._join(
            self._make_activation(in_features, input_bias, num_parameters, init, shape, device, dtype, number),
            self.behind(2 * in_features, out_features, bias, device, dtype))
        self.dim = -1

    def _join(self, linked: LinkedLayer, behind: Any) -> None:
        super()._join(linked, behind)
        self.in_features: int = behind.in_features // 2
        self.out_features: int = behind.out_features
        self.dim = linked.dim

    def forward(self, input: Tensor) -> Tensor:
        if self.dim not in (-1, input.dim() - 1):
            return F.linear(self._pair(input, self.dim), self.weight, self.bias)
        y: Tensor = self._function("_linear")(
            input, *self._weights, self.weight, self.bias, input_bias=self.input_bias, **self._number)
        return y


def _modules_of(
    activation: type[LinkedLayer], layer: str,
) -> tuple[type[JointConv], type[JointConv], type[JointConv], type[JointLinear]]:
    """`<activation>Conv1d`, `Conv2d`, `Conv3d` and `Linear`."""

    def module(base: type[JointLayer], behind: type[nn.Module]) -> Any:
        name = f"{activation.__name__}{behind.__name__}"
        rest = (base.__doc__ or "").partition(" as one layer")[2]
        text = f":class:`{activation.__name__}` and ``torch.nn.{behind.__name__}`` as one layer{rest}"
        return type(name, (base,), {
            "activation": activation, "layer": layer, "behind": behind, "__module__": __name__, "__qualname__": name,
            "__doc__": text})

    return (
        module(JointConv, nn.Conv1d), module(JointConv, nn.Conv2d), module(JointConv, nn.Conv3d),
        module(JointLinear, nn.Linear))


LKReLUConv1d, LKReLUConv2d, LKReLUConv3d, LKReLULinear = _modules_of(LKReLU, "lk_relu")
LKPReLUConv1d, LKPReLUConv2d, LKPReLUConv3d, LKPReLULinear = _modules_of(LKPReLU, "lk_prelu")
LKSELUConv1d, LKSELUConv2d, LKSELUConv3d, LKSELULinear = _modules_of(LKSELU, "lk_selu")
LKSwishConv1d, LKSwishConv2d, LKSwishConv3d, LKSwishLinear = _modules_of(LKSwish, "lk_swish")
LKSinCosConv1d, LKSinCosConv2d, LKSinCosConv3d, LKSinCosLinear = _modules_of(LKSinCos, "lk_sin_cos")
LKELUConv1d, LKELUConv2d, LKELUConv3d, LKELULinear = _modules_of(LKELU, "lk_elu")
LKGELUConv1d, LKGELUConv2d, LKGELUConv3d, LKGELULinear = _modules_of(LKGELU, "lk_gelu")
LKGELUTanhConv1d, LKGELUTanhConv2d, LKGELUTanhConv3d, LKGELUTanhLinear = _modules_of(LKGELUTanh, "lk_gelu_tanh")
LKHardswishConv1d, LKHardswishConv2d, LKHardswishConv3d, LKHardswishLinear = _modules_of(LKHardswish, "lk_hardswish")
LKLeakyReLUConv1d, LKLeakyReLUConv2d, LKLeakyReLUConv3d, LKLeakyReLULinear = _modules_of(LKLeakyReLU, "lk_leaky_relu")
LKMishConv1d, LKMishConv2d, LKMishConv3d, LKMishLinear = _modules_of(LKMish, "lk_mish")
LKSoftplusConv1d, LKSoftplusConv2d, LKSoftplusConv3d, LKSoftplusLinear = _modules_of(LKSoftplus, "lk_softplus")

#: All of them.
MODULES: tuple[type[JointLayer], ...] = tuple(
    each for each in [*globals().values()]
    if isinstance(each, type) and issubclass(each, JointLayer) and hasattr(each, "activation"))
