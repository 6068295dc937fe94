"""Linked activation layers for PyTorch, fused on CPU and CUDA: f(x) = (g(x), g(-x)) along the channel axis.

>>> net = torch.nn.Sequential(
...     torch.nn.Conv2d(3, 16, 3), LKReLU(),   # 16 channels in, 32 out
...     torch.nn.Conv2d(32, 32, 3), LKSwish(), # 32 channels in, 64 out
...     torch.nn.AdaptiveAvgPool2d(1), torch.nn.Flatten(), torch.nn.Linear(64, 10))
>>> net(torch.randn(8, 3, 32, 32)).shape
torch.Size([8, 10])

The layers are operators that are compiled at their first use, which takes about half a minute, and kept for
the next time; ``python -m linked_neurons_torch build`` does it ahead. LINKED_NEURONS_CACHE, in the
environment, names the folder that they are kept in, LINKED_NEURONS_LIBRARY a library that is there already.
The layers on request (LKELU, LKGELU, LKGELUTanh, LKHardswish, LKLeakyReLU, LKMish, LKSoftplus) are another library,
which is compiled when the first of them is used.
Where they cannot be compiled, PyTorch's own operators take their place.
"""

from importlib.metadata import version as _version
from pathlib import Path as _Path

from torch.torch_version import __version__ as _torch_version

# The oldest whose headers the operators compile with.
OLDEST_TORCH = "2.7"
if _torch_version < OLDEST_TORCH:
    raise ImportError(
        f"linked_neurons_torch needs torch {OLDEST_TORCH} or later, and this is torch {_torch_version}: "
        f"pip install 'torch>={OLDEST_TORCH}'")

from . import functional  # noqa: E402
from ._link import link  # noqa: E402
from ._move_bias import move_bias  # noqa: E402
from ._operators import load, settle_allocator  # noqa: E402
from .joint_modules import (  # noqa: E402
    JointConv, JointLayer, JointLinear, LKELUConv1d, LKELUConv2d, LKELUConv3d, LKELULinear, LKGELUConv1d,
    LKGELUConv2d, LKGELUConv3d, LKGELULinear, LKGELUTanhConv1d, LKGELUTanhConv2d, LKGELUTanhConv3d,
    LKGELUTanhLinear, LKHardswishConv1d, LKHardswishConv2d, LKHardswishConv3d, LKHardswishLinear, LKLeakyReLUConv1d,
    LKLeakyReLUConv2d, LKLeakyReLUConv3d, LKLeakyReLULinear, LKMishConv1d, LKMishConv2d, LKMishConv3d, LKMishLinear,
    LKPReLUConv1d, LKPReLUConv2d, LKPReLUConv3d, LKPReLULinear, LKReLUConv1d, LKReLUConv2d, LKReLUConv3d,
    LKReLULinear, LKSELUConv1d, LKSELUConv2d, LKSELUConv3d, LKSELULinear, LKSinCosConv1d, LKSinCosConv2d,
    LKSinCosConv3d, LKSinCosLinear, LKSoftplusConv1d, LKSoftplusConv2d, LKSoftplusConv3d, LKSoftplusLinear,
    LKSwishConv1d, LKSwishConv2d, LKSwishConv3d, LKSwishLinear)
from .modules import (  # noqa: E402
    LinkedLayer, LKELU, LKGELU, LKGELUTanh, LKHardswish, LKLeakyReLU, LKMish, LKPReLU, LKReLU, LKSELU, LKSiLU,
    LKSinCos, LKSoftplus, LKSwish)

__all__ = [
    "JointConv", "JointLayer", "JointLinear", "LinkedLayer",
    "LKELU", "LKELUConv1d", "LKELUConv2d", "LKELUConv3d", "LKELULinear",
    "LKGELU", "LKGELUConv1d", "LKGELUConv2d", "LKGELUConv3d", "LKGELULinear",
    "LKGELUTanh", "LKGELUTanhConv1d", "LKGELUTanhConv2d", "LKGELUTanhConv3d", "LKGELUTanhLinear",
    "LKHardswish", "LKHardswishConv1d", "LKHardswishConv2d", "LKHardswishConv3d", "LKHardswishLinear",
    "LKLeakyReLU", "LKLeakyReLUConv1d", "LKLeakyReLUConv2d", "LKLeakyReLUConv3d", "LKLeakyReLULinear",
    "LKMish", "LKMishConv1d", "LKMishConv2d", "LKMishConv3d", "LKMishLinear",
    "LKPReLU", "LKPReLUConv1d", "LKPReLUConv2d", "LKPReLUConv3d", "LKPReLULinear",
    "LKReLU", "LKReLUConv1d", "LKReLUConv2d", "LKReLUConv3d", "LKReLULinear",
    "LKSELU", "LKSELUConv1d", "LKSELUConv2d", "LKSELUConv3d", "LKSELULinear",
    "LKSiLU",
    "LKSinCos", "LKSinCosConv1d", "LKSinCosConv2d", "LKSinCosConv3d", "LKSinCosLinear",
    "LKSoftplus", "LKSoftplusConv1d", "LKSoftplusConv2d", "LKSoftplusConv3d", "LKSoftplusLinear",
    "LKSwish", "LKSwishConv1d", "LKSwishConv2d", "LKSwishConv3d", "LKSwishLinear",
    "cmake_prefix_path", "functional", "link", "load", "move_bias", "settle_allocator",
]
__version__ = _version("linked-neurons-torch")

#: The folder for CMAKE_PREFIX_PATH with which CMake's find_package(linked_neurons) finds this package's headers.
cmake_prefix_path = str(_Path(__file__).parent)
