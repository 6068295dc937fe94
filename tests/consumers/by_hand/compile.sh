#!/bin/sh
# Compiles main.cpp by hand, with the line that docs/start.md gives. LINKED_NEURONS is a checkout or an
# install prefix; LIBTORCH is LibTorch's prefix: what python3 -c 'import torch; print(*torch.__path__)'
# prints, an unpacked LibTorch, or /usr for a distribution's.
set -eu
g++ -std=c++17 -O2 main.cpp -o main -I$LINKED_NEURONS/include -I$LIBTORCH/include -I$LIBTORCH/include/torch/csrc/api/include -L$LIBTORCH/lib -Wl,-rpath,$LIBTORCH/lib -ltorch -ltorch_cpu -lc10
