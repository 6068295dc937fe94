// The C++ layers as Python calls them in an extension: modes_test.py loads this.
//
// An extension's functions are bound by pybind11, which needs Python's headers. An operator needs
// none, and is as good, if every key under which something would record or change the operator
// itself has its C++ function for a kernel: then that runs at once, and whatever is on stays on.
#include <linked_neurons/functional.h>

#include <torch/library.h>

#include <cstdint>
#include <optional>
#include <string>

namespace {

namespace F = linked_neurons::functional;
using at::Tensor;

Tensor tensor(const std::optional<Tensor>& optional) {
  return optional.value_or(Tensor());
}

template <const auto& kFunction>
Tensor layer(const Tensor& x, const std::optional<Tensor>& bias, std::int64_t dim) {
  return kFunction(x, tensor(bias), dim);
}

Tensor lk_prelu(
    const Tensor& x,
    const Tensor& pos,
    const Tensor& neg,
    const std::optional<Tensor>& bias,
    std::int64_t dim) {
  return F::lk_prelu(x, pos, neg, tensor(bias), dim);
}

template <class Layer>
void add(torch::Library& library, const std::string& name, const char* weights, Layer* function) {
  using c10::DispatchKey;
  library.def((name + "(Tensor x, " + weights + "Tensor? bias=None, int dim=1) -> Tensor").c_str());
  for (const auto key :
       {DispatchKey::CompositeImplicitAutograd,
        DispatchKey::FuncTorchDynamicLayerFrontMode,
        DispatchKey::FuncTorchBatched,
        DispatchKey::Functionalize,
        DispatchKey::PreDispatch,
        DispatchKey::Python,
        DispatchKey::PythonTLSSnapshot,
        DispatchKey::Tracer,
        DispatchKey::AutogradNestedTensor}) {
    library.impl(name.c_str(), torch::dispatch(key, function));
  }
}

} // namespace

TORCH_LIBRARY(linked_neurons_modes, library) {
  add(library, "lk_relu", "", layer<F::lk_relu>);
  add(library, "lk_selu", "", layer<F::lk_selu>);
  add(library, "lk_swish", "", layer<F::lk_swish>);
  add(library, "lk_sin_cos", "", layer<F::lk_sin_cos>);
  add(library, "lk_prelu", "Tensor weight_pos, Tensor weight_neg, ", lk_prelu);
}
