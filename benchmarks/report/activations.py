"""The library's own activations, read from the one list of them."""

import re
from pathlib import Path

HEADERS = Path(__file__).resolve().parents[2] / "include"
LIST = (HEADERS / "linked_neurons/activation/all.h").read_text()
ENTRIES = re.findall(r"^ +use\((\w+), (\w+), (\w+)\)", LIST, re.MULTILINE)

STRUCTS = {function: struct for struct, function, _ in ENTRIES}  # lk_relu: ReLU
LAYERS = list(STRUCTS)
MODULES = [module for _, _, module in ENTRIES]
