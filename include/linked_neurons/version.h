/// \file
/// The version of linked_neurons: the one place that states it. CMakeLists.txt reads it from here.
#pragma once

#define LINKED_NEURONS_VERSION_MAJOR 0
#define LINKED_NEURONS_VERSION_MINOR 1
#define LINKED_NEURONS_VERSION_PATCH 0

/// The version as one number, 10000 * major + 100 * minor + patch, for `#if`.
#define LINKED_NEURONS_VERSION                                                 \
  (10000 * LINKED_NEURONS_VERSION_MAJOR + 100 * LINKED_NEURONS_VERSION_MINOR + \
   LINKED_NEURONS_VERSION_PATCH)
