#include "verdicts.h"

#include "style.h"
#include "table.h"
#include "text.h"

#include <algorithm>
#include <iterator>
#include <limits>
#include <optional>
#include <utility>

namespace article::output {
namespace {

using Names = std::vector<std::string>;

// A figure of the runs of a variant and an activation, or a number.
struct Term {
  std::string variant;
  std::string activation;
  double (*figure)(const Row& row) = nullptr;
  int digits = 0;
  double factor = 1; // or the number
  std::string when = {};
};

// That the one is above the other or, if equality will do, not below it.
struct Comparison {
  Term above;
  Term below;
  bool or_equal = false;
};

struct Claim {
  std::string experiment;
  std::string text;
  std::vector<Comparison> comparisons; // all of them
};

template <class Figure>
std::vector<double> over_seeds(const Row& row, Figure figure) {
  std::vector<double> values;
  std::transform(row.runs.begin(), row.runs.end(), std::back_inserter(values), figure);
  return values;
}

Term accuracy(const std::string& variant, const std::string& activation) {
  return {variant, activation, [](const Row& row) { return median(over_seeds(row, score)); }, 3};
}

Term at_first(const std::string& variant, const std::string& activation) {
  const auto figure = [](const Row& row) {
    return median(over_seeds(row, [](const LoggedRun& run) { return mean_accuracy(run, 0); }));
  };
  return {variant, activation, figure, 3, 1, "at first "};
}

// The seed with the most of them counts.
Term dead_units(const std::string& variant, const std::string& activation) {
  const auto figure = [](const Row& row) {
    const std::vector<double> counts = over_seeds(row, [](const LoggedRun& run) {
      return static_cast<double>(run.epochs.back().dead_units);
    });
    return *std::max_element(counts.begin(), counts.end());
  };
  return {variant, activation, figure, 0};
}

Term seconds(const std::string& variant, const std::string& activation, double times = 1) {
  return {variant, activation, seconds_per_epoch, 2, times};
}

Term number(double value) {
  return {"", "", nullptr, 2, value};
}

const Names kBases = {"relu", "prelu", "selu", "swish"};
const Names kThree = {"relu", "prelu", "selu"}; // where the article's LK-Swish is behind
const Names kLinked = {"lk_relu", "lk_prelu", "lk_selu", "lk_swish"};

// Ten classes: what learns nothing is right one time in ten.
const Term kChance = number(0.15);

using Comparisons = std::vector<Comparison>;

Comparisons linked_above(
    const std::string& variant, const Names& bases, const std::string& ending = "") {
  Comparisons all;
  for (const std::string& base : bases) {
    all.push_back({accuracy(variant, "lk_" + base), accuracy(variant, base + ending)});
  }
  return all;
}

Comparisons above_all(
    const std::string& variant, const std::string& activation, const Names& others) {
  Comparisons all;
  for (const std::string& other : others) {
    if (other != activation) {
      all.push_back({accuracy(variant, activation), accuracy(variant, other)});
    }
  }
  return all;
}

Comparisons operator+(Comparisons all, const Comparisons& more) {
  all.insert(all.end(), more.begin(), more.end());
  return all;
}

void add_depth(std::vector<Claim>& claims) {
  Comparisons nothing;
  Comparisons learn;
  Comparisons remedy;
  for (const std::string& base : Names{"relu", "prelu", "swish"}) {
    for (const char* ending : {"", "_sqrt2"}) {
      nothing.push_back({kChance, accuracy("default", base + ending)});
    }
  }
  for (const std::string& base : kThree) {
    learn.push_back({accuracy("default", "lk_" + base), kChance});
    remedy.push_back({accuracy("default", "lk_" + base), accuracy("default", "bn_relu")});
  }
  claims.push_back({"depth", "ReLU, PReLU, Swish learn nothing, nor with √2 the filters", nothing});
  claims.push_back({"depth", "LK-ReLU, LK-PReLU, LK-SELU learn", learn});
  claims.push_back(
      {"depth", "LK-Swish learns nothing", {{kChance, accuracy("default", "lk_swish")}}});
  claims.push_back({"depth", "LK-ReLU, LK-PReLU, LK-SELU are above BN+ReLU", remedy});
  claims.push_back(
      {"depth",
       "LK-SELU is above SELU, with √2 the filters too",
       above_all("default", "lk_selu", {"selu", "selu_sqrt2"})});
}

void add_shift(std::vector<Claim>& claims) {
  Comparisons die;
  Comparisons live;
  Comparisons ahead;
  for (const char* offset : {"offset-10", "offset-20", "offset-30", "offset-40"}) {
    die.push_back({dead_units(offset, "relu"), number(0)});
    for (const std::string& linked : kLinked) {
      live.push_back({number(0), dead_units(offset, linked), true});
    }
    ahead = ahead + linked_above(offset, kBases);
  }
  claims.push_back({"covariate-shift", "ReLU's units die where the input is moved", die});
  claims.push_back({"covariate-shift", "No linked unit does", live});
  claims.push_back({"covariate-shift", "Linked above single at each offset from 10 on", ahead});
}

void add_plasticity(std::vector<Claim>& claims) {
  for (const std::string& stream : Names{"random-labels", "permuted-pixels"}) {
    const auto add = [&](const std::string& text, const Comparisons& comparisons) {
      std::string claim = stream;
      claim.append(": ").append(text);
      claims.push_back({"plasticity", claim, comparisons});
    };
    Comparisons keep;
    for (const std::string& linked : kLinked) {
      keep.push_back({accuracy(stream, linked), at_first(stream, linked), true});
    }
    add("linked above single in the last fifth of the tasks", linked_above(stream, kBases));
    add("LK-ReLU loses fewer units than ReLU",
        {{dead_units(stream, "relu"), dead_units(stream, "lk_relu")}});
    add("linked lose nothing from the first fifth to the last", keep);
    add("sine with cosine loses nothing",
        {{accuracy(stream, "lk_sin_cos"), at_first(stream, "lk_sin_cos"), true}});
    add("sine with cosine above BN+ReLU and LN+ReLU in the last fifth",
        above_all(stream, "lk_sin_cos", {"bn_relu", "ln_relu"}));
  }
}

std::vector<Claim> make_claims() {
  std::vector<Claim> claims;
  add_depth(claims);
  add_shift(claims);
  for (const std::string& filters : Names{"50", "400"}) {
    const std::string variant = "width-" + filters;
    const std::string where = filters + " filters: ";
    claims.push_back(
        {"width",
         where + "LK-ReLU, LK-PReLU, LK-SELU above single",
         linked_above(variant, kThree)});
    claims.push_back(
        {"width", where + "LK-Swish below Swish", above_all(variant, "swish", {"lk_swish"})});
  }
  claims.push_back({"extended", "Linked above single", linked_above("default", kBases)});
  claims.push_back(
      {"extended",
       "LK-ReLU, LK-PReLU, LK-SELU above √2 the filters",
       linked_above("default", kThree, "_sqrt2")});
  claims.push_back(
      {"allcnn",
       "LK-ReLU is the best",
       above_all("default", "lk_relu", kBases) + above_all("default", "lk_relu", kLinked)});
  claims.push_back({"resnet50", "Linked above single", linked_above("bn", kBases)});
  claims.push_back(
      {"resnet50",
       "LK-Swish is the best",
       above_all("bn", "lk_swish", kBases) + above_all("bn", "lk_swish", kLinked)});
  claims.push_back(
      {"nobatchnorm",
       "LK-ReLU without BN is not below LK-ReLU with it",
       {{accuracy("no-bn", "lk_relu"), accuracy("bn", "lk_relu"), true}}});
  claims.push_back(
      {"nobatchnorm",
       "Without BN, LK-SELU above SELU",
       {{accuracy("no-bn", "lk_selu"), accuracy("no-bn", "selu")}}});
  claims.push_back(
      {"nobatchnorm",
       "BN takes LK-ReLU twice the time",
       {{seconds("bn", "lk_relu"), seconds("no-bn", "lk_relu", 2), true}}});
  claims.push_back(
      {"nobatchnorm",
       "Without BN, LK-ReLU is faster than SELU",
       {{seconds("no-bn", "selu"), seconds("no-bn", "lk_relu")}}});
  add_plasticity(claims);
  return claims;
}

std::optional<double> value_of(const Term& term, const Summary* summary) {
  if (term.figure == nullptr) {
    return term.factor;
  }
  if (summary == nullptr) {
    return std::nullopt;
  }
  const auto row =
      std::find_if(summary->rows.begin(), summary->rows.end(), [&](const Row& candidate) {
        return candidate.variant == term.variant && candidate.activation == term.activation;
      });
  if (row == summary->rows.end() || row->runs.empty()) {
    return std::nullopt;
  }
  return term.factor * term.figure(*row);
}

std::string shown(const Term& term, double value) {
  if (term.figure == nullptr) {
    return fixed(value, term.digits);
  }
  std::string text = term.variant == "default" ? "" : term.variant + " ";
  text += style_of(term.activation).name + " " + term.when;
  if (term.factor != 1) {
    text = fixed(term.factor, 0) + " × " + text;
  }
  return text + fixed(value / term.factor, term.digits);
}

Judgement judge(const Claim& claim, const Summary* summary) {
  Judgement result{claim.text, Verdict::kHolds, "—"};
  bool missing = false;
  double closest = std::numeric_limits<double>::infinity();
  for (const Comparison& comparison : claim.comparisons) {
    const std::optional<double> above = value_of(comparison.above, summary);
    const std::optional<double> below = value_of(comparison.below, summary);
    if (!above || !below) {
      missing = true;
      continue;
    }
    const double margin = *above - *below;
    if (margin < closest) {
      closest = margin;
      result.seen = shown(comparison.above, *above) + ", " + shown(comparison.below, *below);
    }
    if (!(margin > 0 || (comparison.or_equal && margin == 0))) {
      result.verdict = Verdict::kDoesNotHold;
    }
  }
  if (missing && result.verdict == Verdict::kHolds) {
    return {claim.text, Verdict::kNotMeasured, "—"};
  }
  return result;
}

} // namespace

std::vector<Judgement> judge(const std::string& experiment, const Summary* summary) {
  static const std::vector<Claim> claims = make_claims();
  std::vector<Judgement> all;
  for (const Claim& claim : claims) {
    if (claim.experiment == experiment) {
      all.push_back(judge(claim, summary));
    }
  }
  return all;
}

const char* name(Verdict verdict) {
  constexpr const char* names[] = {"holds", "does not hold", "not measured"};
  return names[static_cast<int>(verdict)];
}

} // namespace article::output

namespace article {

std::string verdicts(
    const std::filesystem::path& out, const std::vector<std::string>& experiments) {
  using namespace output;
  Table table{"", {"Experiment", "Data set", "Claim", "Verdict", "Decided by"}, 5, {}, {}};
  for (const std::string& experiment : experiments) {
    const auto add = [&](const std::string& dataset, const Summary* summary) {
      for (const Judgement& one : judge(experiment, summary)) {
        table.rows.push_back({experiment, dataset, one.claim, name(one.verdict), one.seen});
      }
    };
    if (std::filesystem::exists(out / experiment)) {
      for (const Summary& summary : summarise(out, experiment)) {
        add(summary.dataset, &summary);
      }
    } else {
      add("—", nullptr);
    }
  }
  return to_markdown(table);
}

} // namespace article
