"""python -m linked_neurons_torch build: builds the operators ahead of their first use."""

import argparse
import sys

from . import _build


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m linked_neurons_torch")
    commands = parser.add_subparsers(required=True)
    build = commands.add_parser(
        "build", help="build the layers' operators, unless they have been, and print where they are",
        description="Builds the layers' operators into the cache, unless they have been. LINKED_NEURONS_CACHE "
        "names its folder, TORCH_CUDA_ARCH_LIST the CUDA architectures where no device is.")
    build.add_argument(
        "--optional", action="store_true", help="also those of the layers on request, LKGELU and so on")
    libraries = [_build.OPERATORS, *([_build.OPTIONAL_OPERATORS] if parser.parse_args().optional else [])]
    try:
        for library in libraries:
            print(_build.find_or_build(library))
    except _build.CannotBuild as problem:
        print(f"linked_neurons_torch: {problem}.", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
