#include "graph.h"

#include <c10/util/Exception.h>

#ifdef ARTICLE_CUDA_GRAPHS
#include <ATen/cuda/CUDAGraph.h>
#include <c10/cuda/CUDAFunctions.h>
#include <c10/cuda/CUDAStream.h>
#endif

namespace article {

#ifdef ARTICLE_CUDA_GRAPHS

struct Graph::State {
  at::cuda::CUDAGraph graph;
};

bool Graph::possible(const c10::Device& device) {
  return device.is_cuda();
}

Graph::Graph(const c10::Device& device, const std::function<void()>& work)
    : state_(std::make_unique<State>()) {
  constexpr int rehearsals = 3;
  for (int i = 0; i < rehearsals; ++i) {
    work();
  }
  c10::cuda::getCurrentCUDAStream(device.index()).synchronize();
  state_->graph.capture_begin();
  work();
  state_->graph.capture_end();
}

void Graph::replay() {
  state_->graph.replay();
}

void use_capturable_stream(const c10::Device& device) {
  if (device.is_cuda()) {
    c10::cuda::set_device(device.index()); // a capture is of the current device's current stream
    c10::cuda::setCurrentCUDAStream(c10::cuda::getStreamFromPool(false, device.index()));
  }
}

#else

struct Graph::State {};

bool Graph::possible(const c10::Device&) {
  return false;
}

Graph::Graph(const c10::Device&, const std::function<void()>&) {
  TORCH_CHECK(false, "this build has no CUDA graphs");
}

void Graph::replay() {}

void use_capturable_stream(const c10::Device&) {}

#endif

Graph::~Graph() = default;

} // namespace article
