// The CPU loops and the CUDA kernels know pointers, not tensors: they include nothing of LibTorch.
#include "host_device.h"

#include <linked_neurons/activation/all.h>
#include <linked_neurons/cpu/blocks.h>

#if defined(C10_API) || defined(TORCH_API)
#error "A header under linked_neurons/cpu or linked_neurons/cuda includes one of LibTorch's."
#endif
