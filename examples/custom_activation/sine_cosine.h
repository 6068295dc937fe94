/// \file
/// Sine coupled with cosine (deep Fourier features, arXiv:2410.20634): a linked activation need not
/// be a function and its negated twin. At every z one of the two halves has a gradient.
#pragma once

#include <linked_neurons/activation/activation.h>

struct SineCosine : linked_neurons::Activation {
  static constexpr auto name = "sine_cosine";
  // Each half is the other one's derivative, up to a sign: backward needs no input.
  static constexpr auto saved = Saved::output;

  template <class T>
  LINKED_NEURONS_FN static Pair<T> forward(const T& z) {
    return {sin(z), cos(z)};
  }

  template <class T>
  LINKED_NEURONS_FN static T backward(const Pair<T>& output, const Pair<T>& grad) {
    return grad.pos * output.neg - grad.neg * output.pos;
  }
};
