/// \file
/// A switch for measurements: in which order a kernel takes its elements.
#pragma once

namespace linked_neurons::detail::cuda {

/// Whether forward and backward take the last elements first, which the kernel before may have left
/// in the L2 cache. Set it before any kernel is launched.
inline bool descending_blocks = false;

} // namespace linked_neurons::detail::cuda
