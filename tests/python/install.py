"""Builds the Python package as sdist and wheel, and installs it in a fresh environment.

    python install.py <python/> <folder> <Python with torch> <an installation of the library>

is run by a Python with pip and setuptools. The folder gets dist/ and the environment venv/, which sees the
given Python's torch. No package index is asked for anything.
"""

import json
import os
import shutil
import subprocess
import sys
import tarfile
import unittest
import zipfile
from pathlib import Path


def run(*command, **options):
    return subprocess.run([*map(str, command)], check=True, text=True, stdout=subprocess.PIPE, **options).stdout


def build_and_install():
    shutil.rmtree(FOLDER, ignore_errors=True)
    dist = FOLDER / "dist"
    dist.mkdir(parents=True)
    # Of a copy, since setuptools writes beside the sources.
    source = shutil.copytree(PACKAGE, FOLDER / "source")
    run(sys.executable, "-c", f"from setuptools import build_meta as b; b.build_sdist({str(dist)!r})", cwd=source)
    [sdist] = dist.glob("*.tar.gz")
    pip = ("pip", "-q", "--disable-pip-version-check")
    run(sys.executable, "-m", *pip, "wheel", "--no-index", "--no-deps", "--no-build-isolation", "-w", dist, sdist)
    [wheel] = dist.glob("*.whl")

    run(TORCH_PYTHON, "-m", "venv", FOLDER / "venv")
    python = FOLDER / "venv/bin/python"
    torch = run(TORCH_PYTHON, "-W", "ignore", "-c", "import torch; print(torch.__path__[0])").strip()
    site_packages = Path(run(python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))").strip())
    (site_packages / "torch.pth").write_text(str(Path(torch).parent))
    run(python, "-m", *pip, "install", "--no-index", "--no-deps", wheel)
    return sdist, wheel, python


ASK = """
import json, linked_neurons_torch as ln, torch
from importlib.metadata import requires
print(json.dumps({
    "version": ln.__version__, "oldest": ln.OLDEST_TORCH, "requires": requires("linked-neurons-torch"),
    "prefix": ln.cmake_prefix_path, "torch_prefix": torch.utils.cmake_prefix_path}))
"""


class InstallTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.sdist, cls.wheel, python = build_and_install()
        cls.says = json.loads(run(python, "-W", "ignore", "-c", ASK))

    def test_sdist_has_files_and_no_links(self):
        with tarfile.open(self.sdist) as files:
            self.assertFalse([file.name for file in files if file.issym() or file.islnk()])

    def test_wheel_is_pure_and_typed(self):
        self.assertTrue(self.wheel.name.endswith("-py3-none-any.whl"), self.wheel.name)
        with zipfile.ZipFile(self.wheel) as files:
            self.assertIn("linked_neurons_torch/py.typed", files.namelist())

    def test_wheel_has_what_cmake_installs(self):
        def files(prefix):
            """Without what stands behind a `return()`: the size of the machine's pointers."""
            return {path.relative_to(prefix): path.read_text().split("# if the installed project requested no arch")[0]
                    for part in ("include", "share") for path in (prefix / part).rglob("*") if path.is_file()}

        self.assertEqual(files(Path(self.says["prefix"])), files(INSTALLED))

    def test_cmake_finds_the_library_in_it(self):
        consumer = PACKAGE.parent / "tests/consumers/find_package"
        environment = {name: value for name, value in os.environ.items() if name != "CMAKE_PREFIX_PATH"}
        said = run(
            "cmake", "-S", consumer, "-B", FOLDER / "consumer", "-D", "LINKED_NEURONS_CUDA=OFF",
            "-D", f"CMAKE_PREFIX_PATH={self.says['prefix']};{self.says['torch_prefix']}", env=environment)
        self.assertIn(f"linked_neurons {self.says['version']}: LibTorch", said)
        cache = (FOLDER / "consumer/CMakeCache.txt").read_text()
        self.assertIn(f"linked_neurons_DIR:PATH={self.says['prefix']}", cache)

    def test_states_the_version_of_the_headers_and_the_oldest_torch(self):
        header = (PACKAGE.parent / "include/linked_neurons/version.h").read_text()
        for name, number in zip(("MAJOR", "MINOR", "PATCH"), self.says["version"].split("."), strict=True):
            self.assertRegex(header, rf"LINKED_NEURONS_VERSION_{name} {number}\n")
        self.assertIn(f"torch>={self.says['oldest']}", self.says["requires"])


if __name__ == "__main__":
    PACKAGE, FOLDER, TORCH_PYTHON, INSTALLED = (Path(path).absolute() for path in sys.argv[1:])
    unittest.main(argv=sys.argv[:1], verbosity=2)
