/// \file
/// Snake, z + sin(a z)^2 / a (Ziyin et al., arXiv:2006.08195), as a linked activation with a number
/// of its own, the frequency a. All that linked_neurons needs to know of it is this struct.
#pragma once

#include <linked_neurons/activation/activation.h>

struct Snake : linked_neurons::Activation {
  static constexpr auto name = "snake";
  LINKED_NEURONS_NUMBER(frequency, 1.0)

  template <class T>
  LINKED_NEURONS_FN static Pair<T> forward(const T& z, Number<T> frequency) {
    const T sine = sin(z * frequency);
    const T wave = sine * sine / frequency;
    return {z + wave, wave - z};
  }

  template <class T>
  LINKED_NEURONS_FN static T backward(const T& z, const Pair<T>& grad, Number<T> frequency) {
    const T slope = sin(z * (2 * frequency));
    return grad.pos * (1 + slope) - grad.neg * (1 - slope);
  }
};
