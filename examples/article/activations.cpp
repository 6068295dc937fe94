#include "activations.h"

#include "../common/usage_error.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/any.h>
#include <ATen/ops/where.h>
#include <ATen/ops/zeros.h>
#include <linked_neurons/linked_neurons.h>
#include <torch/nn/modules/activation.h>
#include <torch/nn/modules/batchnorm.h>
#include <torch/nn/modules/container/functional.h>
#include <torch/nn/modules/container/sequential.h>

#include <cmath>
#include <memory>
#include <utility>

namespace article {
namespace {

using Sizes = std::vector<std::int64_t>;
using torch::nn::AnyModule;
namespace lk = linked_neurons;

/// PReLU with one weight for each element of the input, as in Keras. LibTorch's has one for each
/// channel at most.
class ElementPReLUImpl : public torch::nn::Cloneable<ElementPReLUImpl> {
 public:
  explicit ElementPReLUImpl(Sizes sizes) : sizes_(std::move(sizes)) {
    ElementPReLUImpl::reset();
  }

  void reset() override {
    weight_ = register_parameter("weight", at::zeros(sizes_));
  }

  at::Tensor forward(const at::Tensor& input) {
    return at::where(input > 0, input, weight_ * input);
  }

 private:
  Sizes sizes_;
  at::Tensor weight_;
};

TORCH_MODULE(ElementPReLU);

template <class Module>
AnyModule plain(const Sizes&) {
  return AnyModule(Module());
}

AnyModule element_prelu(const Sizes& sizes) {
  return AnyModule(ElementPReLU(sizes));
}

AnyModule lk_prelu(const Sizes& sizes) {
  return AnyModule(lk::LKPReLU(lk::LKPReLUOptions().shape(sizes).init(0)));
}

AnyModule sine(const Sizes&) {
  return AnyModule(torch::nn::Functional([](const at::Tensor& input) { return input.sin(); }));
}

std::vector<Activation> make_activations() {
  constexpr auto none = Normalisation::kNone;
  // Keras' PReLU weights start at 0.
  std::vector<Activation> all = {
      {"relu", 1, "relu", 1, none, plain<torch::nn::ReLU>},
      {"lk_relu", 2, "relu", 1, none, plain<lk::LKReLU>},
      {"prelu", 1, "prelu", 1, none, element_prelu},
      {"lk_prelu", 2, "prelu", 1, none, lk_prelu},
      {"selu", 1, "selu", 1, none, plain<torch::nn::SELU>},
      {"lk_selu", 2, "selu", 1, none, plain<lk::LKSELU>},
      {"swish", 1, "swish", 1, none, plain<torch::nn::SiLU>},
      {"lk_swish", 2, "swish", 1, none, plain<lk::LKSwish>},
  };
  // So many filters make as many parameters as the linked twin has.
  std::vector<Activation> wide;
  for (Activation activation : all) {
    if (activation.expansion == 1) {
      activation.name += "_sqrt2";
      activation.width = std::sqrt(2.0);
      wide.push_back(activation);
    }
  }
  all.insert(all.end(), wide.begin(), wide.end());
  all.push_back({"bn_relu", 1, "relu", 1, Normalisation::kBatch, plain<torch::nn::ReLU>});
  all.push_back({"ln_relu", 1, "relu", 1, Normalisation::kLayer, plain<torch::nn::ReLU>});
  all.push_back({"sine", 1, "sine", 1, none, sine});
  all.push_back({"lk_sin_cos", 2, "sine", 1, none, plain<lk::LKSinCos>});
  return all;
}

} // namespace

const std::vector<Activation>& activations() {
  static const std::vector<Activation> all = make_activations();
  return all;
}

const Activation& find_activation(const std::string& name) {
  std::string names;
  for (const Activation& activation : activations()) {
    if (activation.name == name) {
      return activation;
    }
    names += " " + activation.name;
  }
  throw examples::UsageError("unknown activation '" + name + "'; there are" + names);
}

ActivationLayerImpl::ActivationLayerImpl(const Activation& activation, const Sizes& sizes)
    : function_(activation.make(sizes)), units_(sizes[0]) {
  register_module("function", function_.ptr());
}

ActivationLayerImpl::ActivationLayerImpl(AnyModule function, AnyModule joint, std::int64_t units)
    : function_(std::move(function)), joint_(std::move(joint)), units_(units) {
  register_module("joint", joint_.ptr()); // which has the function's parameters, too
}

std::shared_ptr<ActivationLayerImpl> ActivationLayerImpl::joined(const AnyModule& layer) const {
  torch::nn::Sequential both;
  both->push_back(function_);
  both->push_back(layer);
  const torch::nn::Sequential linked = lk::link(both);
  if (linked->size() == 2) {
    return nullptr;
  }
  return std::shared_ptr<ActivationLayerImpl>(
      new ActivationLayerImpl(function_, *linked->begin(), units_));
}

at::Tensor ActivationLayerImpl::forward(const at::Tensor& input) {
  if (!joint_.is_empty()) {
    if (watched_) {
      const torch::NoGradGuard guard;
      note(function_.forward(input));
    }
    return joint_.forward(input);
  }
  at::Tensor output = function_.forward(input);
  if (watched_) {
    note(output);
  }
  return output;
}

void ActivationLayerImpl::note(const at::Tensor& output) {
  Sizes others = {0};
  for (std::int64_t axis = 2; axis < output.dim(); ++axis) {
    others.push_back(axis);
  }
  const at::Tensor alive = at::any(output.detach() != 0, others).view({-1, units_});
  alive_ = alive_.defined() ? alive_.logical_or_(alive) : alive;
  if (keeps_) {
    output_ = output.detach();
  }
}

void ActivationLayerImpl::watch(bool keep) {
  watched_ = true;
  keeps_ = keep;
  alive_ = at::Tensor();
}

at::Tensor ActivationLayerImpl::alive(const c10::Device& device) {
  watched_ = false;
  return alive_.defined() ? alive_.any(0)
                          : at::zeros({units_}, at::TensorOptions(at::kBool).device(device));
}

at::Tensor ActivationLayerImpl::take_output() {
  return std::exchange(output_, at::Tensor());
}

} // namespace article
