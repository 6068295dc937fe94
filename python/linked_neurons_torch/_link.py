"""Existing layers as joint layers, which keep less for backward."""

from typing import Any, overload

from torch import nn

from .joint_modules import MODULES, JointLayer
from .modules import LinkedLayer

_JOINTS: dict[tuple[type, type], type[JointLayer]] = {(joint.activation, joint.behind): joint for joint in MODULES}


@overload
def link(first: nn.Sequential) -> nn.Sequential: ...
@overload
def link(first: LinkedLayer, layer: nn.Module) -> JointLayer: ...


def link(first: nn.Module, layer: nn.Module | None = None) -> nn.Module:
    """A linked layer and the convolution or linear layer behind it as one layer, which keeps less for backward.

    It has their parameters, the same tensors, so an optimizer that has them goes on. Of a ``torch.nn.Sequential`` alone
    it returns one in which every such pair is one layer, in the ``Sequential`` modules that it has too. The other
    modules are the same objects. The joint layer stands under the name of the convolution or linear layer, so
    ``weight`` and ``bias`` keep their keys; the activation's own parameters move there: ``1.weight_pos`` becomes
    ``2.weight_pos``, ``1.bias`` becomes ``2.input_bias``. A file that was saved before is loaded before.

    The result stays the same as long as the linked layer's ``dim`` is the axis of the other's channels: 1, the default,
    for a convolution whose inputs have a batch axis. For a linear layer whose inputs have their channels elsewhere the
    two are computed one after the other, as before. A pair in which a module has hooks is left as it is.

    Raises ``ValueError`` if two layers do not go together.

    >>> net = torch.nn.Sequential(torch.nn.Conv2d(3, 8, 3), LKReLU(), torch.nn.Conv2d(16, 4, 3))
    >>> link(net)
    Sequential(
      (0): Conv2d(3, 8, kernel_size=(3, 3), stride=(1, 1))
      (2): LKReLUConv2d(8, 4, kernel_size=(3, 3), stride=(1, 1))
    )
    """
    if layer is None:
        if not isinstance(first, nn.Sequential):
            raise ValueError(f"link: expected a Sequential, or two layers, got {type(first).__name__}")
        return _link_all(first)
    joint = _joined(first, layer)
    if joint is None:
        raise ValueError(
            "link: expected a linked layer without hooks, and a convolution or linear layer behind it with an even "
            f"number of channels on the same axis, got {first} and {layer}")
    return joint


def _joined(first: nn.Module, second: nn.Module) -> JointLayer | None:
    """The joint layer of the two, or none where they do not go together."""
    kind = _JOINTS.get((type(first), type(second)))
    if kind is None or _has_hooks(first) or _has_hooks(second):
        return None
    linked: Any = first
    behind: Any = second
    is_linear = isinstance(second, nn.Linear)
    axis = -1 if is_linear else -1 - len(behind.kernel_size)
    channels = behind.in_features if is_linear else behind.in_channels
    if channels % 2 != 0 or linked.dim not in (1, axis) or linked.bias_axis not in (0, axis):
        return None
    joint = kind.__new__(kind)
    nn.Module.__init__(joint)
    joint._join(linked, behind)
    return joint.train(behind.training)


def _link_all(net: nn.Sequential) -> nn.Sequential:
    result = nn.Sequential()
    result.training = net.training
    modules = [(name, module) for name, module in net._modules.items() if module is not None]
    while modules:
        name, module = modules.pop(0)
        joint = _joined(module, modules[0][1]) if modules else None
        if joint is not None:
            name, module = modules.pop(0)[0], joint
        elif type(module) is nn.Sequential and not _has_hooks(module):
            module = _link_all(module)
        result.add_module(name, module)
    return result


def _has_hooks(module: nn.Module) -> bool:
    """Which see what goes in and out of the module alone."""
    return any(
        getattr(module, f"_{hooks}_hooks") for hooks in ("forward", "forward_pre", "backward", "backward_pre"))
