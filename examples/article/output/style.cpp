#include "style.h"

#include <algorithm>
#include <iterator>

namespace article::output {
namespace {

struct Entry {
  const char* activation;
  const char* name;
  const char* colour;
  const char* dashes;
};

constexpr const char* kBlue = "#1f6fb4";
constexpr const char* kGreen = "#1a8f3c";
constexpr const char* kOrange = "#d9600a";
constexpr const char* kPurple = "#8a3fa8";
constexpr const char* kRed = "#c2185b";
constexpr const char* kBlack = "#222222";
constexpr const char* kGrey = "#888888";
constexpr const char* kSolid = "";
constexpr const char* kDashes = "7 4";
constexpr const char* kDots = "2 3";

constexpr Entry kEntries[] = {
    {"relu", "ReLU", kBlue, kDashes},
    {"lk_relu", "LK-ReLU", kBlue, kSolid},
    {"prelu", "PReLU", kGreen, kDashes},
    {"lk_prelu", "LK-PReLU", kGreen, kSolid},
    {"selu", "SELU", kOrange, kDashes},
    {"lk_selu", "LK-SELU", kOrange, kSolid},
    {"swish", "Swish", kPurple, kDashes},
    {"lk_swish", "LK-Swish", kPurple, kSolid},
    {"relu_sqrt2", "ReLU √2", kBlue, kDots},
    {"prelu_sqrt2", "PReLU √2", kGreen, kDots},
    {"selu_sqrt2", "SELU √2", kOrange, kDots},
    {"swish_sqrt2", "Swish √2", kPurple, kDots},
    {"bn_relu", "BN+ReLU", kBlack, kDashes},
    {"ln_relu", "LN+ReLU", kBlack, kDots},
    {"sine", "sine", kRed, kDashes},
    {"lk_sin_cos", "sine, cosine", kRed, kSolid},
};

} // namespace

Style style_of(const std::string& activation) {
  const auto* const entry =
      std::find_if(std::begin(kEntries), std::end(kEntries), [&](const Entry& candidate) {
        return candidate.activation == activation;
      });
  const auto rank = static_cast<std::size_t>(entry - std::begin(kEntries));
  if (entry == std::end(kEntries)) {
    return {rank, activation, kGrey, kSolid};
  }
  return {rank, entry->name, entry->colour, entry->dashes};
}

} // namespace article::output
