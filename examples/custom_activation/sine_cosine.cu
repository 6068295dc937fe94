// The CUDA kernels of SineCosine. A program without this file runs as well, on LibTorch's
// operators.
#include "sine_cosine.h"

#include <linked_neurons/cuda/backend.cuh>

LINKED_NEURONS_CUDA_KERNELS(SineCosine)
