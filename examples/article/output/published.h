#pragma once

// The figures of Riera Molina & Pujol, "Solving internal covariate shift in deep learning with
// linked neurons" (arXiv:1712.02609): CIFAR-10, best validation accuracy over the epochs.

#include <optional>

namespace article::output {

struct Figures {
  double accuracy = 0;            ///< The best seed's.
  std::optional<double> median{}; ///< Of the seeds' accuracies.
  /// The time an epoch takes, as a multiple of what it takes where this is published as 1.
  std::optional<double> time_ratio{};
};

struct Published {
  const char* experiment;
  const char* variant;
  const char* activation;
  Figures figures;
};

inline constexpr Published kPublished[] = {
    {"width", "width-50", "relu", {.5767}},
    {"width", "width-50", "lk_relu", {.5909}},
    {"width", "width-50", "prelu", {.5771}},
    {"width", "width-50", "lk_prelu", {.5908}},
    {"width", "width-50", "selu", {.4992}},
    {"width", "width-50", "lk_selu", {.5730}},
    {"width", "width-50", "swish", {.5559}},
    {"width", "width-50", "lk_swish", {.5488}},
    {"width", "width-400", "relu", {.6154}},
    {"width", "width-400", "lk_relu", {.6165}},
    {"width", "width-400", "prelu", {.6156}},
    {"width", "width-400", "lk_prelu", {.6168}},
    {"width", "width-400", "selu", {.5227}},
    {"width", "width-400", "lk_selu", {.599}},
    {"width", "width-400", "swish", {.5442}},
    {"width", "width-400", "lk_swish", {.5405}},
    {"depth", "default", "relu", {.1000, .1000}},
    {"depth", "default", "lk_relu", {.5667, .5607}},
    {"depth", "default", "prelu", {.1000, .1000}},
    {"depth", "default", "lk_prelu", {.5458, .5210}},
    {"depth", "default", "selu", {.5654, .5643}},
    {"depth", "default", "lk_selu", {.5876, .5670}},
    {"depth", "default", "swish", {.1000, .1000}},
    {"depth", "default", "lk_swish", {.1000, .1000}},
    {"depth", "default", "relu_sqrt2", {.1000}},
    {"depth", "default", "prelu_sqrt2", {.1000}},
    {"depth", "default", "selu_sqrt2", {.5707}},
    {"depth", "default", "swish_sqrt2", {.1000}},
    {"depth", "default", "bn_relu", {.5202, .5114}},
    {"extended", "default", "relu", {.7337}},
    {"extended", "default", "relu_sqrt2", {.7581}},
    {"extended", "default", "lk_relu", {.7696}},
    {"extended", "default", "prelu", {.7201}},
    {"extended", "default", "prelu_sqrt2", {.7568}},
    {"extended", "default", "lk_prelu", {.7687}},
    {"extended", "default", "selu", {.6981}},
    {"extended", "default", "selu_sqrt2", {.7012}},
    {"extended", "default", "lk_selu", {.7559}},
    {"extended", "default", "swish", {.6961}},
    {"extended", "default", "swish_sqrt2", {.7376}},
    {"extended", "default", "lk_swish", {.7368}},
    {"allcnn", "default", "relu", {.9301}},
    {"allcnn", "default", "lk_relu", {.9468}},
    {"allcnn", "default", "prelu", {.9422}},
    {"allcnn", "default", "lk_prelu", {.9232}},
    {"allcnn", "default", "selu", {.9304}},
    {"allcnn", "default", "lk_selu", {.9197}},
    {"allcnn", "default", "swish", {.9261}},
    {"allcnn", "default", "lk_swish", {.8971}},
    {"resnet50", "bn", "relu", {.8973}},
    {"resnet50", "bn", "lk_relu", {.9027}},
    {"resnet50", "bn", "prelu", {.8907}},
    {"resnet50", "bn", "lk_prelu", {.9027}},
    {"resnet50", "bn", "selu", {.9041}},
    {"resnet50", "bn", "lk_selu", {.9134}},
    {"resnet50", "bn", "swish", {.905}},
    {"resnet50", "bn", "lk_swish", {.9139}},
    {"nobatchnorm", "bn", "lk_relu", {.9027, {}, 2.09}},
    {"nobatchnorm", "no-bn", "lk_relu", {.9048, {}, 1}},
    {"nobatchnorm", "bn", "selu", {.9041, {}, 2.07}},
    {"nobatchnorm", "no-bn", "selu", {.8611, {}, 1.38}},
    {"nobatchnorm", "bn", "lk_selu", {.9134, {}, 2.08}},
    {"nobatchnorm", "no-bn", "lk_selu", {.9088, {}, 1.6}},
};

} // namespace article::output
