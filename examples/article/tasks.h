#pragma once

// Streams of tasks: the same images, again and again something else to learn of them.

#include "data.h"
#include "experiments.h"

#include <ATen/core/Tensor.h>

#include <cstdint>

namespace article {

/// Fills `task` with the task of this number (from 1): images drawn from `all`, with labels drawn
/// for each anew ("random-labels"), or with their own and all pixels in another order
/// ("permuted-pixels"). A task comes from the seed and its number alone.
void draw_task(
    const Settings& settings, int seed, std::int64_t number, const Images& all, Images& task);

/// How many dimensions the rows of a matrix fill: exp of the entropy of its singular values, as
/// shares of their sum (Roy & Vetterli, 2007). 0 if all are 0.
double effective_rank(const at::Tensor& rows);

} // namespace article
