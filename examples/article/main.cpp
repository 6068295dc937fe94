// Runs the experiments of the article on linked neurons (arXiv:1712.02609). `article --help` says
// how.

#include "../common/usage_error.h"
#include "command.h"
#include "exit_status.h"
#include "interrupt.h"
#include "output/plots.h"
#include "output/tables.h"
#include "output/verdicts.h"
#include "runner.h"

#include <CLI/CLI.hpp>
#include <c10/util/Exception.h>

#include <cstdio>
#include <exception>
#include <functional>
#include <sstream>
#include <string>
#include <vector>

namespace article {
namespace {

void list() {
  std::printf("Experiments (article run NAME):\n\n");
  for (const Experiment& experiment : experiments()) {
    std::printf("%s: %s\n  activations:", experiment.name.c_str(), experiment.summary.c_str());
    for (const std::string& name : experiment.activations) {
      std::printf(" %s", name.c_str());
    }
    std::printf("\n  data set: %s\n ", experiment.dataset.c_str());
    for (const auto& [name, value] : describe(experiment.settings)) {
      std::printf(" %s=%s", name.c_str(), value.c_str());
    }
    std::printf("\n");
    if (!experiment.knob.empty()) {
      std::printf("  variants: %s", experiment.knob.c_str());
      for (const std::string& value : experiment.values) {
        std::printf(" %s", value.c_str());
      }
      std::printf("\n");
    }
    std::printf("\n");
  }
  std::printf("Activations:");
  for (const Activation& activation : activations()) {
    std::printf(" %s", activation.name.c_str());
  }
  std::printf("\n");
}

int report(const char* error) {
  std::fprintf(stderr, "article: %s\n", error);
  return 1;
}

/// What the program exits with. Wrong usage is the same in all of its processes: one of them says
/// it.
int guarded(const std::function<void()>& work, bool first = true) {
  try {
    work();
    return 0;
  } catch (const Interrupted&) {
    return interrupted_status; // main() says it, once for all processes
  } catch (const examples::UsageError& error) {
    if (first) {
      report(error.what());
    }
    return usage_status;
  } catch (const std::exception& error) {
    if (interrupted()) { // what it broke off in another process is no news
      return interrupted_status;
    }
    const auto* const torch = dynamic_cast<const c10::Error*>(&error);
    return report(torch != nullptr ? torch->what_without_backtrace() : error.what());
  }
}

/// "all", or names.
std::vector<std::string> chosen(const std::vector<std::string>& names) {
  std::vector<std::string> all;
  for (const std::string& name : names) {
    if (name == "all") {
      for (const Experiment& experiment : experiments()) {
        all.push_back(experiment.name);
      }
    } else {
      all.push_back(find_experiment(name).name);
    }
  }
  return all;
}

void add_experiments(CLI::App& command, std::vector<std::string>& names) {
  std::string help = "all, or some of:";
  for (const Experiment& experiment : experiments()) {
    help += " " + experiment.name;
  }
  command.add_option("experiment", names, help)->required();
}

struct Commands {
  std::vector<std::string> names;
  RunOptions options;
  bool no_graph = false;
  int world_size = 1;
};

const char* value_name(const Knob& knob) {
  constexpr const char* names[] = {"NUMBER", "N", "true|false", "NAME"}; // as Knob::Member's types
  return names[knob.member.index()];
}

void add_run(CLI::App& run, Commands& commands) {
  RunOptions& o = commands.options;
  add_experiments(run, commands.names);
  run.add_option("--activation", o.activations, "which, with commas (default: the article's)")
      ->delimiter(',');
  run.add_option("--dataset", o.dataset, "cifar10, mnist or fashion_mnist (default: see list)");
  run.add_option("--data-dir", o.data_dir, "the folder of its files (Fashion-MNIST: searched for)")
      ->envname("LINKED_NEURONS_DATA_DIR");
  run.add_option("--out", o.out, "where runs are kept")->capture_default_str();
  run.add_option("--seed", o.seed, "the first seed")
      ->check(CLI::Range(0, 1 << 30))
      ->capture_default_str();
  run.add_option("--seeds", o.seeds, "how many seeds, counting up")
      ->check(CLI::Range(1, 1000))
      ->capture_default_str();
  run.add_flag("--resume", o.resume, "go on after the last epoch that was finished");
  run.add_flag("--overwrite", o.overwrite, "start anew where there is a run already");
  run.add_option("--share", o.share, "of the images, of every class the first ones")
      ->check(CLI::Range(1e-6, 1.0))
      ->capture_default_str();
  run.add_option("--train-images", o.train_images, "train on so many, as many of every class");
  run.add_option("--val-images", o.val_images, "validate on so many");

  const char* const machine = "Machine";
  run.add_option("--device", o.device, "cpu, cuda or cuda:N (default: cuda if there is one)")
      ->check([](const std::string& text) {
        const bool known = text == "cpu" || text == "cuda" ||
                           (text.rfind("cuda:", 0) == 0 && text.size() > 5 && text.size() < 8 &&
                            text.find_first_not_of("0123456789", 5) == std::string::npos);
        return known ? std::string() : "expected cpu, cuda or cuda:N, got '" + text + "'";
      })
      ->group(machine);
  run.add_option("--threads", o.threads, "of the CPU (default: one for each core)")
      ->check(CLI::Range(1, 1024))
      ->group(machine);
  run.add_flag("--no-graph", commands.no_graph, "launch each step anew, not as a CUDA graph")
      ->group(machine);
  run.add_option(
         "--world-size",
         commands.world_size,
         "train in so many processes on this machine; or start each yourself, with MASTER_ADDR, "
         "MASTER_PORT, RANK and WORLD_SIZE set and --out in a folder that all of them see")
      ->check(CLI::Range(1, 1024))
      ->group(machine);
  run.add_option("--timeout", o.timeout, "seconds that a process waits for the others")
      ->check(CLI::Range(1, 1 << 20))
      ->group(machine)
      ->capture_default_str();

  for (const Knob& knob : knobs()) {
    std::string help = knob.help;
    for (const std::string& choice : knob.choices) {
      help += (&choice == &knob.choices.front() ? ": " : ", ") + choice;
    }
    run.add_option_function<std::string>(
           "--" + knob.name,
           [&o, &knob](const std::string& value) { o.overrides[knob.name] = value; },
           help)
        ->type_name(value_name(knob))
        ->group("Hyper-parameters (default: the experiment's)");
  }
}

void train(const Commands& commands, int& result) {
  RunOptions options = commands.options;
  options.experiments = chosen(commands.names);
  options.graph = !commands.no_graph;
  plan_runs(options); // what is wrong is said once, before there are other processes
  catch_interrupts();
  if (commands.world_size == 1) {
    run_all(options, launched_place());
    return;
  }
  result = run_local(commands.world_size, [&options](const Place& place) {
    return guarded([&] { run_all(options, place); }, place.rank == 0);
  });
}

int main(int argc, char** argv) {
  CLI::App app(
      "The experiments of the article on linked neurons (arXiv:1712.02609), trained anew:\n"
      "summaries for TensorBoard, checkpoints, tables and plots.");
  app.require_subcommand(1);
  app.get_formatter()->column_width(34);
  app.failure_message([](const CLI::App* main, const CLI::Error& error) {
    std::string names;
    for (const CLI::App* command : main->get_subcommands({})) {
      names += " " + command->get_name();
    }
    return "article: " + std::string(error.what()) + "\nCommands:" + names +
           ". `article --help` and `article COMMAND --help` say more.\n";
  });
  int result = 0;
  Commands commands;
  CLI::App& run = *app.add_subcommand("run", "train an experiment's networks");
  add_run(run, commands);
  run.final_callback([&] { train(commands, result); });

  const auto add_output = [&](const char* name,
                              const char* help,
                              void (*write)(const std::filesystem::path&, const std::string&)) {
    CLI::App& command = *app.add_subcommand(name, help);
    add_experiments(command, commands.names);
    command.add_option("--out", commands.options.out, "where the runs are")->capture_default_str();
    command.final_callback([&commands, write] {
      const bool all = commands.names == std::vector<std::string>{"all"};
      for (const std::string& experiment : chosen(commands.names)) {
        if (!all || std::filesystem::exists(commands.options.out / experiment)) {
          write(commands.options.out, experiment);
        }
      }
    });
  };
  add_output("table", "write tables of finished runs as LaTeX and Markdown", write_tables);
  add_output("plot", "draw curves and bars of finished runs", write_plots);
  CLI::App& judge = *app.add_subcommand("verdicts", "hold finished runs against what is claimed");
  judge.add_option("--out", commands.options.out, "where the runs are")->capture_default_str();
  judge.final_callback([&commands] {
    const std::filesystem::path& out = commands.options.out;
    const std::string table = verdicts(out, chosen({"all"}));
    std::printf("%s\nWhat was run:\n\n%s", table.c_str(), commands_table(out).c_str());
  });
  app.add_subcommand("list", "experiments, their hyper-parameters, activations")
      ->final_callback(list);

  int status = guarded([&] {
    try {
      app.parse(argc, argv);
    } catch (const CLI::ParseError& error) {
      result = app.exit(error) == 0 ? 0 : usage_status;
    }
  });
  status = status != 0 ? status : result;
  if (status == interrupted_status) {
    report(Interrupted().what());
  }
  return status;
}

} // namespace
} // namespace article

int main(int argc, char** argv) {
  return article::main(argc, argv);
}
