// The CUDA kernels of Mish. A program without this file runs as well, on LibTorch's operators.
#include "mish.h"

#include <linked_neurons/cuda/backend.cuh>

LINKED_NEURONS_CUDA_KERNELS(Mish)
