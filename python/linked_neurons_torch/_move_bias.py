"""The bias of a convolution or linear layer as the bias of the linked layer behind it, and back."""

from typing import Any

from torch import Tensor, nn

from .modules import LinkedLayer, LKPReLU

_CONVOLUTIONS = {
    nn.Conv1d: 1, nn.Conv2d: 2, nn.Conv3d: 3,
    nn.ConvTranspose1d: 1, nn.ConvTranspose2d: 2, nn.ConvTranspose3d: 3,
}


def move_bias(source: nn.Module, target: nn.Module) -> None:
    """Moves the parameter ``bias`` of a convolution or linear layer to the linked layer behind it, or back.

    PyTorch adds a convolution's bias in a pass of its own on CUDA, and sums its gradient in another; a linked
    layer does both inside its own two. The tensor itself moves: an optimizer that has it goes on.

    The network stays the same as long as the linked layer's ``dim`` is the axis of the other's channels: the last
    one behind a linear layer, so that a layer with the default ``dim``, 1, takes inputs of two axes there. Until the
    bias is moved back the linked layer checks that, and raises ``RuntimeError`` for any other input.

    Raises ``ValueError`` if ``source`` has no bias, ``target`` has one, or the two do not fit together.

    >>> conv, act = torch.nn.Conv2d(3, 16, 3), LKReLU()
    >>> move_bias(conv, act)
    >>> act
    LKReLU(dim=1, bias=16)
    >>> move_bias(act, conv)
    >>> act
    LKReLU(dim=1)
    """
    layer, linked = (target, source) if isinstance(source, LinkedLayer) else (source, target)
    if not isinstance(linked, LinkedLayer) or not isinstance(layer, (nn.Linear, *_CONVOLUTIONS)):
        raise ValueError(
            "move_bias: expected a convolution or linear layer, and a linked layer behind it, got "
            f"{type(source).__name__} and {type(target).__name__}")
    bias = source.bias
    if bias is None:
        raise ValueError(f"move_bias: expected {source} to have a bias, got none")
    if isinstance(target.bias, Tensor):
        shape = list(target.bias.shape)
        raise ValueError(f"move_bias: expected {target} to have no bias yet, got one of shape {shape}")
    axis = _channel_axis(layer, linked)
    linked.bias_axis = 0 if linked.bias_axis == axis else axis
    source.bias = None
    target.bias = bias


def _channel_axis(layer: Any, linked: LinkedLayer) -> int:
    """The axis of the layer's channels, counted from the end. Raises ValueError if the linked layer's is another."""
    if isinstance(layer, nn.Linear):
        channels, axis = layer.out_features, -1
    else:
        [axes] = [axes for kind, axes in _CONVOLUTIONS.items() if isinstance(layer, kind)]
        channels, axis = layer.out_channels, -1 - axes
    dim = linked.dim
    if dim != axis if dim < 0 else dim > 1 and axis != -1:
        raise ValueError(f"move_bias: expected dim {axis}, the channel axis of {layer}, got {linked}")
    biases = [] if linked.bias is None else [linked.bias.numel()]
    if isinstance(linked, LKPReLU) and linked.weight_pos.numel() > 1:
        biases.append(linked.weight_pos.shape[axis if linked.weight_pos.dim() > 1 else 0])
    if any(each != channels for each in biases):
        raise ValueError(f"move_bias: expected {channels} channels, those of {layer}, got {linked}")
    return axis
