/// \file
/// linked_neurons: activation layers for LibTorch that pair an activation with its negated twin,
/// f(z) = (g(z), g(-z)) along the channel axis. Source: Riera Molina and Pujol, "Solving internal
/// covariate shift in deep learning with linked neurons", arXiv:1712.02609.
///
/// ```cpp
/// torch::nn::Sequential net(
///     torch::nn::Conv2d(3, 16, 3), linked_neurons::LKReLU(), // 16 channels in, 32 out
///     torch::nn::Conv2d(32, 32, 3), linked_neurons::LKSwish());
/// ```
#pragma once

#include <linked_neurons/functional.h>
#include <linked_neurons/joint_functional.h>
#include <linked_neurons/joint_modules.h>
#include <linked_neurons/joint_options.h>
#include <linked_neurons/link.h>
#include <linked_neurons/modules.h>
#include <linked_neurons/move_bias.h>
#include <linked_neurons/options.h>
#include <linked_neurons/version.h>
