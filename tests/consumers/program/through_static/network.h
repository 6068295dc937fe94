#pragma once

/// Whether a small network of every layer trains for a step.
bool network_works();

/// Whether the program has the CUDA kernels of the activation of its own where it has those of the
/// library's.
bool has_own_kernels();
