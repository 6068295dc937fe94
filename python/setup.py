"""What pyproject.toml cannot say: the version, and the headers and CMake files in the wheel."""

import re
import subprocess
from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py

HEADER = Path("include/linked_neurons/version.h").read_text()
VERSION = ".".join(re.findall(r"define LINKED_NEURONS_VERSION_(?:MAJOR|MINOR|PATCH) (\d+)", HEADER))


class BuildWithPrefix(build_py):
    """The package's folder is an installation prefix, too."""

    def run(self):
        super().run()
        if not self.editable_mode:
            prefix = Path(self.build_lib, "linked_neurons_torch").absolute()
            subprocess.run(
                ["cmake", "-D", f"PREFIX={prefix}", "-D", f"PROJECT_VERSION={VERSION}",
                 "-P", "cmake/project/Install.cmake"], check=True)


setup(version=VERSION, cmdclass={"build_py": BuildWithPrefix})
