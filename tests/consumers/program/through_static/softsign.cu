#include "softsign.h"

#include <linked_neurons/cuda/backend.cuh>

LINKED_NEURONS_CUDA_KERNELS(LinkedSoftsign)
