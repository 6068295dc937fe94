"""Builds the layers' operators with PyTorch's own extension builder, into a cache.

The cache has a folder for each PyTorch and each version of the package's sources, and in it one for each
set of tools: compiler, nvcc, CUDA architectures. LINKED_NEURONS_CACHE, in the environment, names another
cache.
"""

import contextlib
import hashlib
import importlib
import importlib.util
import logging
import os
import platform
import shlex
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import torch
from filelock import FileLock

INCLUDE = Path(__file__).parent / "include"
SOURCES = INCLUDE / "linked_neurons"
DRIVER = Path("/proc/driver/nvidia/version")  # there where CUDA has a device


@dataclass(frozen=True)
class Library:
    """A library of operators. Its sources are relative to SOURCES."""

    name: str
    source: str
    cuda_source: str
    with_cuda: str  # what is defined where the CUDA source is compiled too

    @property
    def file(self) -> str:
        return f"{self.name}.so"


OPERATORS = Library(
    "linked_neurons_torch_ops", "torch_ops/torch_ops.cpp", "cuda/linked_neurons.cu", "LINKED_NEURONS_WITH_CUDA")
#: Those of the layers on request, which are built when the first of them is used.
OPTIONAL_OPERATORS = Library(
    "linked_neurons_optional_torch_ops", "torch_ops/optional_torch_ops.cpp", "cuda/optional.cu",
    "LINKED_NEURONS_WITH_OPTIONAL_CUDA")


class CannotBuild(Exception):
    """The operators cannot be built here; the message says why."""


@dataclass(frozen=True)
class Tools:
    """What the operators are built with here. An empty string: there is none."""

    compiler: str  # what it says of its version
    nvcc: str  # the same; empty too where PyTorch has no CUDA, or another one
    architectures: str  # of the CUDA devices, as TORCH_CUDA_ARCH_LIST has them

    @classmethod
    def found(cls) -> "Tools":
        compiler = _output(*shlex.split(os.environ.get("CXX", "c++")), "--version")
        nvcc = architectures = ""
        if torch.version.cuda:
            nvcc = _output(_nvcc(), "--version")
            if f"release {torch.version.cuda.split('.')[0]}." not in nvcc:
                nvcc = ""
        if nvcc:
            devices = _output("nvidia-smi", "--query-gpu=compute_cap", "--format=csv,noheader").split()
            architectures = os.environ.get("TORCH_CUDA_ARCH_LIST") or ";".join(sorted(set(devices)))
        return cls(compiler, nvcc, architectures)

    @property
    def has_cuda(self) -> bool:
        return bool(self.nvcc and self.architectures)

    @property
    def folder(self) -> str:
        kind = "cuda" if self.has_cuda else "cpu"
        return f"{kind}-{_digest(self.compiler, *((self.nvcc, self.architectures) if self.has_cuda else ()))}"


def find_or_build(wanted: Library) -> Path:
    """The file of this library. Where a tool is missing, one that was built with others will do.

    Raises CannotBuild.
    """
    tools = Tools.found()
    folder = cache_folder() / _conditions()
    library = folder / tools.folder / wanted.file
    if library.exists():
        return library
    if not tools.compiler or (torch.version.cuda and not tools.nvcc):
        built = folder.glob(f"{'cuda-' if tools.compiler else ''}*/{wanted.file}")
        best = max(built, key=lambda path: (path.parent.name.startswith("cuda-"), path.stat().st_mtime), default=None)
        if best:
            return best
    _check_tools(tools)
    start = time.time()
    try:
        library.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(folder / f"{wanted.name}.lock"):
            if not library.exists():
                _build(wanted, library, tools, start)
    except OSError as error:
        raise CannotBuild(
            f"the operators cannot be built in {folder}, since {error} (LINKED_NEURONS_CACHE names another folder)"
        ) from error
    return library


def lacks_cuda(library: Path) -> bool:
    """Whether there is a CUDA device that PyTorch can use, and the library was built without the kernels for it."""
    return bool(torch.version.cuda) and DRIVER.exists() and library.parent.name.startswith("cpu-")


def cache_folder() -> Path:
    named = os.environ.get("LINKED_NEURONS_CACHE")
    if named:
        return Path(named).absolute()
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "linked_neurons"


def _conditions() -> str:
    """Names what the library depends on besides the tools."""
    sources = hashlib.sha256()
    for path in sorted(SOURCES.rglob("*")):
        if path.is_file():
            sources.update(str(path.relative_to(SOURCES)).encode() + b"\0" + path.read_bytes())
    machine = (sys.implementation.cache_tag, platform.machine(), *platform.libc_ver())
    build = (torch.version.git_version, str(torch.version.cuda), str(torch.version.hip))
    return f"torch-{torch.__version__}-{_digest(sources.hexdigest(), *machine, *build)}"


def _digest(*texts: str) -> str:
    return hashlib.sha256("\0".join(texts).encode()).hexdigest()[:16]


def _output(*command: str) -> str:
    """What a program says, or nothing where it is not there or fails."""
    try:
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout
    except (OSError, subprocess.CalledProcessError):
        return ""


def _nvcc() -> str:
    """The nvcc that PyTorch's extension builder takes."""
    home = os.environ.get("CUDA_HOME") or os.environ.get("CUDA_PATH")
    return str(Path(home, "bin/nvcc")) if home else shutil.which("nvcc") or "/usr/local/cuda/bin/nvcc"


def _ninja_folder() -> str | None:
    """The folder of ninja, which the package of that name brings: an environment may be in use unactivated."""
    found = shutil.which("ninja")
    if not found and importlib.util.find_spec("ninja"):
        found = shutil.which("ninja", path=importlib.import_module("ninja").BIN_DIR)
    return str(Path(found).parent) if found else None


def _check_tools(tools: Tools) -> None:
    missing = []
    if not tools.compiler:
        missing.append("a C++ compiler ($CXX, or c++: Debian's package g++)")
    if not _ninja_folder():
        missing.append("ninja (the Python package ninja)")
    if not importlib.util.find_spec("setuptools"):
        missing.append("setuptools (the Python package of that name)")
    if missing:
        raise CannotBuild(f"the operators cannot be built here, for want of {' and '.join(missing)}")


def _build(wanted: Library, library: Path, tools: Tools, start: float) -> None:
    log = library.with_suffix(".log")
    if log.exists() and log.stat().st_mtime >= start:
        raise CannotBuild(f"the operators could not be compiled by another process (see {log})")
    which = "the operators of the layers on request" if wanted is OPTIONAL_OPERATORS else "the operators"
    print(f"linked_neurons_torch: compiling {which} for torch {torch.__version__} "
          f"({'CPU and CUDA' if tools.has_cuda else 'CPU'}) into {library.parent}, once; "
          f"this takes {'a minute or more' if tools.has_cuda else 'about half a minute'} ... ",
          end="", flush=True, file=sys.stderr)
    start = time.time()
    try:
        # In a folder of its own, and moved when it is whole: whoever dies meanwhile leaves no half of it.
        with tempfile.TemporaryDirectory(prefix="building-", dir=library.parent) as folder:
            _compile(wanted, folder, tools)
            Path(folder, wanted.file).replace(library)
    except Exception as error:  # whatever the builder, the compiler and the loader raise
        print("failed", file=sys.stderr)
        log.write_text(str(error))
        first = next((line for line in str(error).splitlines() if "error: " in line), str(error))
        raise CannotBuild(f"the operators could not be compiled: {first} (see {log})") from error
    print(f"done in {time.time() - start:.0f} s", file=sys.stderr)


def _compile(wanted: Library, folder: str, tools: Tools) -> None:
    """Builds the library in the folder, and loads it."""
    path = os.pathsep.join(filter(None, [_ninja_folder(), os.environ.get("PATH")]))
    with _environment(PATH=path, TORCH_CUDA_ARCH_LIST=tools.architectures):
        # Which warns of a CUDA toolkit without a device. (Here, since it imports setuptools.)
        logging.getLogger("torch.utils.cpp_extension").setLevel(logging.ERROR)
        from torch.utils import cpp_extension

        sources = [SOURCES / wanted.source]
        flags = ["-O3", "-DNDEBUG"]
        if tools.has_cuda:
            sources.append(SOURCES / wanted.cuda_source)
            flags.append(f"-D{wanted.with_cuda}")
        cpp_extension.load(
            wanted.name, [str(source) for source in sources], extra_cflags=flags, extra_cuda_cflags=flags,
            extra_include_paths=[str(INCLUDE)], build_directory=folder, with_cuda=tools.has_cuda,
            is_python_module=False)


@contextlib.contextmanager
def _environment(**variables: str) -> Iterator[None]:
    before = dict(os.environ)
    os.environ.update(variables)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)
