#include "runner.h"

#include <linked_neurons/settle_allocator.h>

#include <cstdio>
#include <exception>
#include <filesystem>
#include <optional>

namespace benchmarks {

double Session::measure(benchmark::State& state, const Call& call) {
  constexpr std::size_t kFewest = 5; // for a median to mean something, whatever the minimal time
  std::vector<double> samples;
  std::size_t waits = 0;
  const auto sample = [&] {
    samples.push_back(clock.seconds(call));
    waits += clock.device_waited() ? 1 : 0;
  };
  clock.seconds(call); // a first call finds caches cold and memory unmapped
  for (auto _ : state) {
    sample();
  }
  while (samples.size() < kFewest) {
    sample();
  }
  if (device.is_cuda()) {
    state.counters["waited_percent"] =
        100 * static_cast<double>(waits) / static_cast<double>(samples.size());
  }
  const double result = median(samples);
  // Google Benchmark adds up what it is told and divides by the iterations.
  state.SetIterationTime(result * static_cast<double>(state.iterations()));
  return result;
}

namespace {

/// Takes `--device=...` out of the arguments.
std::optional<at::Device> chosen_device(std::vector<char*>& arguments) {
  const std::string flag = "--device=";
  for (auto argument = arguments.begin(); argument != arguments.end(); ++argument) {
    if (std::string(*argument).rfind(flag, 0) == 0) {
      const std::string name = std::string(*argument).substr(flag.size());
      arguments.erase(argument);
      return at::Device(name);
    }
  }
  return std::nullopt;
}

void register_case(const Case& one, benchmark::TimeUnit unit, Session& session) {
  const auto run = [one, &session](benchmark::State& state) {
    try {
      one.run(state, session);
    } catch (const c10::Error& error) {
      state.SkipWithError(error.what_without_backtrace());
    } catch (const std::exception& error) {
      state.SkipWithError(error.what());
    }
  };
  benchmark::RegisterBenchmark(one.name.c_str(), run)->UseManualTime()->Unit(unit);
}

int run(
    std::vector<char*> arguments,
    benchmark::TimeUnit unit,
    const std::function<std::vector<Case>(at::Device)>& make_cases) {
  linked_neurons::settle_allocator();
  at::Device device = chosen_device(arguments).value_or(default_device());
  if (device.is_cuda() && !device.has_index()) {
    device.set_index(0);
  }

  // The file says which program it comes from, not where that lay.
  std::string name = std::filesystem::path(arguments[0]).filename();
  arguments[0] = name.data();
  // Before the user's own arguments, which overrule them.
  std::string min_time = "--benchmark_min_time=0.1";
  std::string tabular = "--benchmark_counters_tabular=true";
  arguments.insert(arguments.begin() + 1, {min_time.data(), tabular.data()});

  int count = static_cast<int>(arguments.size());
  arguments.push_back(nullptr);
  benchmark::Initialize(&count, arguments.data());
  if (benchmark::ReportUnrecognizedArguments(count, arguments.data())) {
    return 2;
  }
  for (const auto& [key, value] : describe(device)) {
    benchmark::AddCustomContext(key, value);
  }

  Session session{device, Clock(device)};
  const bool all = !benchmark::GetBenchmarkFilter().empty();
  for (const Case& one : make_cases(device)) {
    if (all || one.brief) {
      register_case(one, unit, session);
    }
  }
  const std::size_t matched = benchmark::RunSpecifiedBenchmarks();
  benchmark::Shutdown();
  return matched > 0 ? 0 : 1;
}

} // namespace

std::string shape_name(at::IntArrayRef sizes) {
  std::string result;
  for (const auto size : sizes) {
    result += (result.empty() ? "" : "x") + std::to_string(size);
  }
  return result;
}

int run_cases(
    int argc,
    char** argv,
    benchmark::TimeUnit unit,
    const std::function<std::vector<Case>(at::Device)>& make_cases) {
  try {
    return run({argv, argv + argc}, unit, make_cases);
  } catch (const c10::Error& error) {
    std::fprintf(stderr, "%s: %s\n", argv[0], error.what_without_backtrace());
  } catch (const std::exception& error) {
    std::fprintf(stderr, "%s: %s\n", argv[0], error.what());
  }
  return 1;
}

} // namespace benchmarks
