"""Which functions compute the layers: the compiled operators, or PyTorch's own one after another."""

import os
import sys
import threading
import warnings
from types import ModuleType

import torch

from . import _build, _composed

# The oldest PyTorch whose DTensor takes the rules of _sharding.py.
_OLDEST_SHARDING = "2.11"

# What has a function for each layer, and for each of those on request. It is looked up at each call, so that
# TorchScript finds those that were loaded before it came.
layers: ModuleType = _composed
optional_layers: ModuleType = _composed

_is_loaded = {False: False, True: False}  # whether optional
_is_sharded = False
_lock = threading.RLock()


def load(optional: bool = False) -> bool:
    """Loads the layers' compiled operators, and builds them first where this has not been done.

    Those of the layers on request (``LKELU``, ``LKGELU`` and so on) are a library of their own: ``optional`` loads that
    one, and not the other.

    Constructing a module and calling a function do it by themselves. To be called before what names the
    operators is read from a file: ``torch.jit.load``, ``torch.export.load``.

    Returns whether they are there. Where they cannot be built, a warning says once what is missing, and
    the layers are computed by PyTorch's own operators.
    """
    if not _is_loaded[optional]:
        with _lock:
            _load(optional)
    if not _is_sharded and "torch.distributed.tensor" in sys.modules:
        _register_sharding()
    return layers_of(optional) is not _composed


def layers_of(optional: bool) -> ModuleType:
    return optional_layers if optional else layers


# To torch.compile, which would trace the build otherwise, load() is a constant: what
# torch.compiler.assume_constant_result sets, which imports the whole compiler.
vars(load)["_dynamo_marked_constant"] = True


def settle_allocator() -> bool:
    """Lets the C library keep the memory of large tensors for the next ones, in huge pages.

    Training and inference on the CPU then pay for page faults once, and the process keeps the largest
    amount of memory that it ever had in use. To be called once, before the first tensor.

    Returns whether it was done: not under a C library or with a malloc other than glibc's, nor without the
    compiled operators.
    """
    return load() and bool(torch.ops.linked_neurons.settle_allocator())


def _load(optional: bool) -> None:
    global layers, optional_layers, _is_sharded
    if _is_loaded[optional]:
        return
    problem = None
    try:
        if not _are_registered(optional):
            _load_library(optional)
        if optional:
            optional_layers = torch.ops.linked_neurons
        else:
            layers = torch.ops.linked_neurons
        _is_sharded = False
    except _build.CannotBuild as error:
        problem = error
    _is_loaded[optional] = True
    if problem:
        _warn(f"{problem}. The layers", 5)


def _warn(problem: str, stacklevel: int) -> None:
    warnings.warn(
        f"linked_neurons_torch: {problem} are computed by PyTorch's own operators, one after another, which takes "
        "more time and memory.", RuntimeWarning, stacklevel=stacklevel)


def _register_sharding() -> None:
    """How the operators run on DTensors. (What a program does not import need not be imported here.)"""
    global _is_sharded
    _is_sharded = True
    if layers is optional_layers is _composed or torch.__version__ < _OLDEST_SHARDING:
        return
    try:
        from . import _sharding

        _sharding.register()
    except (ImportError, AttributeError) as error:  # a newer PyTorch: its DTensor's own names are private
        warnings.warn(
            f"linked_neurons_torch: torch {torch.__version__} has no DTensors that this version knows ({error}): "
            "it cannot run layers on them.", RuntimeWarning, stacklevel=4)


def _load_library(optional: bool) -> None:
    named = os.environ.get("LINKED_NEURONS_OPTIONAL_LIBRARY" if optional else "LINKED_NEURONS_LIBRARY")
    if named:
        torch.ops.load_library(named)
        return
    library = _build.find_or_build(_build.OPTIONAL_OPERATORS if optional else _build.OPERATORS)
    try:
        if not _are_registered(optional):  # what was built just now is loaded
            torch.ops.load_library(library)
    except OSError as error:
        raise _build.CannotBuild(f"{library} cannot be loaded: {error}") from error
    if _build.lacks_cuda(library):
        _warn(
            f"the operators have no CUDA kernels, for want of nvcc of CUDA {torch.version.cuda} (CUDA_HOME names a "
            "toolkit). Layers of CUDA tensors", 6)


def _are_registered(optional: bool) -> bool:
    return hasattr(torch.ops.linked_neurons, "lk_gelu" if optional else "lk_relu")
