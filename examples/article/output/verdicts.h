#pragma once

// What the article claims, and what is claimed of linked activations since, held against the runs.

#include "summary.h"

#include <filesystem>
#include <string>
#include <vector>

namespace article::output {

enum class Verdict { kHolds, kDoesNotHold, kNotMeasured };

struct Judgement {
  std::string claim;
  Verdict verdict = Verdict::kNotMeasured;
  /// The figures of the comparison that fails or, if none does, of the closest one.
  std::string seen;
};

/// The claims about an experiment, one after the other, by its runs on one data set; by none, if
/// there is no summary.
std::vector<Judgement> judge(const std::string& experiment, const Summary* summary);

/// "holds", "does not hold", "not measured".
const char* name(Verdict verdict);

} // namespace article::output

namespace article {

/// The claims about all of these experiments with their verdicts, a table in Markdown.
std::string verdicts(const std::filesystem::path& out, const std::vector<std::string>& experiments);

} // namespace article
