// Lets output_test.py call the library:
//   log FOLDER EXPERIMENT VARIANT ACTIVATION DATASET SEED RESUME_AFTER_EPOCH
//     (standard input: the epochs, seven numbers each)
//   plots OUT EXPERIMENT

#include "../../../examples/article/output/plots.h"
#include "../../../examples/article/output/run_log.h"

#include <cstdio>
#include <exception>
#include <iostream>
#include <stdexcept>
#include <string>
#include <vector>

namespace {

void run(const std::vector<std::string>& arguments) {
  if (arguments.size() == 8 && arguments[0] == "log") {
    const article::RunKey key{
        arguments[2], arguments[3], arguments[4], arguments[5], std::stoi(arguments[6])};
    article::RunLog log(arguments[1], key, {}, std::stoi(arguments[7]));
    article::Epoch epoch;
    while (std::cin >> epoch.number >> epoch.loss >> epoch.accuracy >> epoch.val_loss >>
           epoch.val_accuracy >> epoch.seconds >> epoch.dead_units) {
      log.add(epoch);
    }
  } else if (arguments.size() == 3 && arguments[0] == "plots") {
    article::write_plots(arguments[1], arguments[2]);
  } else {
    throw std::invalid_argument("unknown arguments");
  }
}

} // namespace

int main(int argc, char** argv) {
  try {
    run({argv + 1, argv + argc});
    return 0;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 1;
  }
}
