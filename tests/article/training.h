// What tests of trainings share.
#pragma once

#include <article/trainer.h>

namespace tests {

/// Nobody is told how a training gets on.
inline const article::Trainer::Report quiet = [](double /*done*/, const auto& /*averages*/) {};

} // namespace tests
