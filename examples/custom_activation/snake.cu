// The CUDA kernels of Snake. A program without this file runs as well, on LibTorch's operators.
#include "snake.h"

#include <linked_neurons/cuda/backend.cuh>

LINKED_NEURONS_CUDA_KERNELS(Snake)
