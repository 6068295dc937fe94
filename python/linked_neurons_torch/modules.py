"""The linked layers as modules, in the style of ``torch.nn``."""

import math
from collections.abc import Sequence
from typing import Any, ClassVar

import torch
from torch import Tensor
from torch.nn import Parameter

from . import _operators, functional

__all__ = [
    "LKELU", "LKGELU", "LKGELUTanh", "LKHardswish", "LKLeakyReLU", "LKMish", "LKPReLU", "LKReLU", "LKSELU", "LKSiLU",
    "LKSinCos", "LKSoftplus", "LKSwish", "LinkedLayer"]


class LinkedLayer(torch.nn.Module):
    """What the linked layers share: the channel axis, and a bias that is added to the input.

    Args:
        dim: the channel axis; negative counts from the end. It is 1 by default, as in a batch of images
            (N, C, H, W) or of vectors (N, C). Any other axis has to be named, or the wrong one is doubled:
            -3 for one image (C, H, W), -1 for a batch of sequences (N, L, C).
        bias: the input's channels, if the layer shall train a bias for each that it adds to the input
            before the activation; 0 for none. It takes the place of the bias of the convolution or linear
            layer in front, at less cost: see :func:`move_bias`.
        keep_input: save the input for backward, in place of what the layer saves: the input's memory, where no
            other layer keeps it, for fewer bytes to read in backward (LK-Swish, LK-SELU and LK-SinCos, which save
            their output, and LK-PReLU).
    """

    #: Whether it is one of the layers on request, whose operators are a library of their own.
    optional: ClassVar[bool] = False
    #: The name of the activation's number, an attribute and an option, if it has one.
    number_name: ClassVar[str] = ""

    dim: int
    bias: Parameter | None
    keep_input: bool
    #: Where move_bias() has moved a bias: the axis that it is of, counted from the end; 0 elsewhere.
    bias_axis: int

    def __init__(
        self, dim: int = 1, bias: int = 0, device: torch.device | str | None = None,
        dtype: torch.dtype | None = None, *, keep_input: bool = False,
    ) -> None:
        super().__init__()
        self._expect("dim", "the channel axis", dim)
        self._expect("bias", "the input's channels, or 0 for none", bias, least=0)
        self._expect_bool("keep_input", keep_input)
        self.dim = dim
        self.keep_input = keep_input
        self.bias_axis = 0
        zeros = Parameter(torch.zeros(bias, device=device, dtype=dtype)) if bias > 0 else None
        self.register_parameter("bias", zeros)
        _operators.load(self.optional)

    def reset_parameters(self) -> None:
        """Sets the bias, if there is one, to 0."""
        if self.bias is not None:
            torch.nn.init.zeros_(self.bias)

    def extra_repr(self) -> str:
        bias = "" if self.bias is None else f", bias={self.bias.numel()}"
        return f"dim={self.dim}{bias}" + (", keep_input=True" if self.keep_input else "")

    def _dim_of(self, input: Tensor) -> int:
        """The channel axis, which has to be that of a bias that has been moved."""
        if self.bias_axis != 0 and self.dim != (self.bias_axis if self.dim < 0 else input.dim() + self.bias_axis):
            raise RuntimeError(
                f"expected dim to be axis {self.bias_axis}, to which the bias belongs that move_bias() moved, "
                f"got dim {self.dim} and an input of {input.dim()} axes")
        return self.dim

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)
        _operators.load(self.optional)

    def _expect(self, option: str, what: str, value: object, least: int | None = None) -> None:
        """An integer, and no bool: PyTorch has options that are bools where ours are integers."""
        if isinstance(value, bool) or not isinstance(value, int) or (least is not None and value < least):
            raise ValueError(f"{type(self).__name__}: expected {option} to be {what}, got {value}")

    def _expect_bool(self, option: str, value: object) -> None:
        if not isinstance(value, bool):
            raise ValueError(f"{type(self).__name__}: expected {option} to be a bool, got {value}")


class _WithoutWeights(LinkedLayer):
    """What the layers without weights share: the option keep_output."""

    keep_output: bool

    def __init__(
        self, dim: int = 1, bias: int = 0, keep_output: bool = False, device: torch.device | str | None = None,
        dtype: torch.dtype | None = None, *, keep_input: bool = False,
    ) -> None:
        self._expect_bool("keep_output", keep_output)
        if keep_output and keep_input:
            raise ValueError(f"{type(self).__name__}: expected keep_output or keep_input to be True, got both")
        super().__init__(dim, bias, device, dtype, keep_input=keep_input)
        self.keep_output = keep_output

    def extra_repr(self) -> str:
        return super().extra_repr() + (", keep_output=True" if self.keep_output else "")


class LKReLU(_WithoutWeights):
    """LK-ReLU: (g(x), g(-x)) along the channel axis, g(x) = max(x, 0). The pair equals CReLU.

    Shapes: input (..., C, ...) with C at axis ``dim``, output (..., 2C, ...). Parameters: ``bias`` (C), if
    asked for.

    Args:
        dim, bias, keep_input: see :class:`LinkedLayer`.
        keep_output: save the output for backward, which the next layer mostly keeps anyway, in place of two
            bits an element.

    >>> layer = LKReLU()
    >>> layer(torch.randn(8, 16, 32, 32)).shape
    torch.Size([8, 32, 32, 32])
    >>> LKReLU(dim=-1)(torch.tensor([-1.0, 3.0]))
    tensor([0., 3., 1., 0.])
    """

    def forward(self, input: Tensor) -> Tensor:
        return functional.lk_relu(
            input, self.bias, self._dim_of(input), self.keep_output, keep_input=self.keep_input)


class LKPReLU(LinkedLayer):
    """LK-PReLU: (g(x), g(-x)) along the channel axis, g(x) = x for x > 0, else weight * x.

    Shapes: input (..., C, ...) with C at axis ``dim``, output (..., 2C, ...). Parameters: ``weight_pos``, of
    g(x), and ``weight_neg``, of g(-x), each (``num_parameters``) or ``shape``; ``bias`` (C), if asked for.

    Args:
        num_parameters: weights of each half: 1, or C, one for each channel.
        init: the weights' initial value.
        shape: instead, one weight for each element of the input: its sizes without the batch axis.
        dim, bias, keep_input: see :class:`LinkedLayer`.

    >>> layer = LKPReLU(num_parameters=16)
    >>> layer(torch.randn(8, 16, 32, 32)).shape
    torch.Size([8, 32, 32, 32])
    >>> layer
    LKPReLU(num_parameters=16, dim=1)
    """

    weight_pos: Parameter
    weight_neg: Parameter

    def __init__(
        self, num_parameters: int = 1, init: float = 0.25, *, shape: Sequence[int] = (), dim: int = 1, bias: int = 0,
        keep_input: bool = False, device: torch.device | str | None = None, dtype: torch.dtype | None = None,
    ) -> None:
        self._expect("num_parameters", "1 or the input's channels", num_parameters, least=1)
        if shape and num_parameters != 1:
            raise ValueError(f"LKPReLU: expected num_parameters or shape, got both: {num_parameters} and {shape}")
        for size in shape:
            self._expect("each size of shape", "positive", size, least=1)
        super().__init__(dim, bias, device, dtype, keep_input=keep_input)
        self.init = float(init)
        weights = torch.full(tuple(shape) or (num_parameters,), self.init, device=device, dtype=dtype)
        self.weight_pos = Parameter(weights)
        self.weight_neg = Parameter(weights.clone())

    def reset_parameters(self) -> None:
        """Sets the weights to their initial value, and the bias, if there is one, to 0."""
        super().reset_parameters()
        torch.nn.init.constant_(self.weight_pos, self.init)
        torch.nn.init.constant_(self.weight_neg, self.init)

    def forward(self, input: Tensor) -> Tensor:
        return functional.lk_prelu(
            input, self.weight_pos, self.weight_neg, self.bias, self._dim_of(input), keep_input=self.keep_input)

    def extra_repr(self) -> str:
        sizes = list(self.weight_pos.shape)
        of_weights = f"num_parameters={sizes[0]}" if len(sizes) == 1 else f"shape={sizes}"
        return f"{of_weights}, {super().extra_repr()}"


class LKSELU(_WithoutWeights):
    """LK-SELU: (g(x), g(-x)) along the channel axis, g(x) that of ``torch.nn.SELU``.

    Shapes: input (..., C, ...) with C at axis ``dim``, output (..., 2C, ...). Parameters: ``bias`` (C), if
    asked for.

    Args:
        dim, bias, keep_input: see :class:`LinkedLayer`.
        keep_output: changes nothing: the output is saved for backward either way.

    >>> LKSELU()(torch.randn(8, 16, 32, 32)).shape
    torch.Size([8, 32, 32, 32])
    """

    def forward(self, input: Tensor) -> Tensor:
        return functional.lk_selu(
            input, self.bias, self._dim_of(input), self.keep_output, keep_input=self.keep_input)


class LKSwish(_WithoutWeights):
    """LK-Swish: (g(x), g(-x)) along the channel axis, g(x) = x * sigmoid(x), that of ``torch.nn.SiLU``.

    Shapes: input (..., C, ...) with C at axis ``dim``, output (..., 2C, ...). Parameters: ``bias`` (C), if
    asked for.

    Args:
        dim, bias, keep_input: see :class:`LinkedLayer`.
        keep_output: changes nothing: the output is saved for backward either way.

    >>> LKSwish()(torch.randn(8, 16, 32, 32)).shape
    torch.Size([8, 32, 32, 32])
    """

    def forward(self, input: Tensor) -> Tensor:
        return functional.lk_swish(
            input, self.bias, self._dim_of(input), self.keep_output, keep_input=self.keep_input)


class LKSinCos(_WithoutWeights):
    """LK-SinCos: (sin(x), cos(x)) along the channel axis, deep Fourier features.

    Shapes: input (..., C, ...) with C at axis ``dim``, output (..., 2C, ...). Parameters: ``bias`` (C), if
    asked for.

    Args:
        dim, bias, keep_input: see :class:`LinkedLayer`.
        keep_output: changes nothing: the output is saved for backward either way.

    >>> LKSinCos()(torch.randn(8, 16, 32, 32)).shape
    torch.Size([8, 32, 32, 32])
    """

    def forward(self, input: Tensor) -> Tensor:
        return functional.lk_sin_cos(
            input, self.bias, self._dim_of(input), self.keep_output, keep_input=self.keep_input)


class _OnRequest(_WithoutWeights):
    """What the layers on request share."""

    optional = True

    def __init_subclass__(cls) -> None:
        if not cls.__name__.startswith("_"):
            number = f"{cls.number_name}: the number in g(x).\n        " if cls.number_name else ""
            cls.__doc__ = f"""{cls.__doc__}

    Shapes: input (..., C, ...) with C at axis ``dim``, output (..., 2C, ...). Parameters: ``bias`` (C), if
    asked for.

    Args:
        {number}dim, bias, keep_input: see :class:`LinkedLayer`.
        keep_output: changes nothing.

    >>> {cls.__name__}()(torch.randn(8, 16, 32, 32)).shape
    torch.Size([8, 32, 32, 32])
    """


class _WithNumber(_OnRequest):
    """What the layers share whose activation has a number."""

    def __init__(
        self, number: float, least: float, dim: int, bias: int, keep_output: bool, keep_input: bool,
        device: torch.device | str | None, dtype: torch.dtype | None,
    ) -> None:
        super().__init__(dim, bias, keep_output, device, dtype, keep_input=keep_input)
        if not number >= least:
            raise ValueError(
                f"{type(self).__name__}: expected {self.number_name} to be a number of at least {least}, got {number}")
        setattr(self, self.number_name, float(number))

    def extra_repr(self) -> str:
        return f"{self.number_name}={getattr(self, self.number_name):g}, {super().extra_repr()}"


class LKELU(_WithNumber):
    """LK-ELU: (g(x), g(-x)) along the channel axis, g(x) that of ``torch.nn.ELU``, with ``alpha`` of at least 0."""

    number_name = "alpha"
    alpha: float

    def __init__(
        self, alpha: float = 1.0, *, dim: int = 1, bias: int = 0, keep_output: bool = False, keep_input: bool = False,
        device: torch.device | str | None = None, dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__(alpha, 0, dim, bias, keep_output, keep_input, device, dtype)

    def forward(self, input: Tensor) -> Tensor:
        return functional.lk_elu(
            input, self.bias, self._dim_of(input), self.keep_output, self.alpha, keep_input=self.keep_input)


class LKGELU(_OnRequest):
    """LK-GELU: (g(x), g(-x)) along the channel axis, g(x) that of ``torch.nn.GELU``."""

    def forward(self, input: Tensor) -> Tensor:
        return functional.lk_gelu(
            input, self.bias, self._dim_of(input), self.keep_output, keep_input=self.keep_input)


class LKGELUTanh(_OnRequest):
    """LK-GELUTanh: (g(x), g(-x)) along the channel axis, g(x) that of ``torch.nn.GELU(approximate="tanh")``."""

    def forward(self, input: Tensor) -> Tensor:
        return functional.lk_gelu_tanh(
            input, self.bias, self._dim_of(input), self.keep_output, keep_input=self.keep_input)


class LKHardswish(_OnRequest):
    """LK-Hardswish: (g(x), g(-x)) along the channel axis, g(x) that of ``torch.nn.Hardswish``."""

    def forward(self, input: Tensor) -> Tensor:
        return functional.lk_hardswish(
            input, self.bias, self._dim_of(input), self.keep_output, keep_input=self.keep_input)


class LKLeakyReLU(_WithNumber):
    """LK-LeakyReLU: (g(x), g(-x)) along the channel axis, g(x) that of ``torch.nn.LeakyReLU``."""

    number_name = "negative_slope"
    negative_slope: float

    def __init__(
        self, negative_slope: float = 0.01, *, dim: int = 1, bias: int = 0, keep_output: bool = False,
        keep_input: bool = False, device: torch.device | str | None = None, dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__(negative_slope, -math.inf, dim, bias, keep_output, keep_input, device, dtype)

    def forward(self, input: Tensor) -> Tensor:
        return functional.lk_leaky_relu(
            input, self.bias, self._dim_of(input), self.keep_output, self.negative_slope, keep_input=self.keep_input)


class LKMish(_OnRequest):
    """LK-Mish: (g(x), g(-x)) along the channel axis, g(x) that of ``torch.nn.Mish``."""

    def forward(self, input: Tensor) -> Tensor:
        return functional.lk_mish(
            input, self.bias, self._dim_of(input), self.keep_output, keep_input=self.keep_input)


class LKSoftplus(_OnRequest):
    """LK-Softplus: (g(x), g(-x)) along the channel axis, g(x) that of ``torch.nn.Softplus``."""

    def forward(self, input: Tensor) -> Tensor:
        return functional.lk_softplus(
            input, self.bias, self._dim_of(input), self.keep_output, keep_input=self.keep_input)


LKSiLU = LKSwish
