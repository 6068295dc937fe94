#pragma once

// From a list of cases to a program of Google Benchmark's kind.

#include "measure.h"

#include <benchmark/benchmark.h>

#include <functional>
#include <string>
#include <vector>

namespace benchmarks {

/// Where a program's cases run.
struct Session {
  at::Device device;
  Clock clock;

  /// Runs the benchmark's loop. Its time, here and in the JSON file, is the median of the single
  /// calls, of which there are five at least.
  double measure(benchmark::State& state, const Call& call);
};

struct Case {
  std::string name;
  bool brief; ///< belongs to the list that runs when no filter is given
  std::function<void(benchmark::State&, Session&)> run;
};

/// Sizes as they stand in a case's name: 8x64x28x28.
std::string shape_name(at::IntArrayRef sizes);

/// The whole of main(): with `--benchmark_filter` all cases that it matches run, in their order,
/// without it those that are `brief`. `--device=cpu` overrides default_device(). What a case
/// throws fails that case alone.
int run_cases(
    int argc,
    char** argv,
    benchmark::TimeUnit unit,
    const std::function<std::vector<Case>(at::Device)>& make_cases);

} // namespace benchmarks
