# What the build tree and the installed package share: from a folder of headers to the target that
# programs link.
include_guard(GLOBAL)
include("${CMAKE_CURRENT_LIST_DIR}/LinkedNeuronsTorch.cmake")
include("${CMAKE_CURRENT_LIST_DIR}/LinkedNeuronsCuda.cmake")
include("${CMAKE_CURRENT_LIST_DIR}/LinkedNeuronsLayers.cmake")
include("${CMAKE_CURRENT_LIST_DIR}/LinkedNeuronsTorchOps.cmake")

set(LINKED_NEURONS_CUDA AUTO CACHE STRING
    "CUDA kernels: AUTO compiles them where LibTorch and nvcc allow it, ON insists, OFF does without")
set_property(CACHE LINKED_NEURONS_CUDA PROPERTY STRINGS AUTO ON OFF)

# Completes `target`, an INTERFACE library, with the headers in include_dir, linked_neurons::torch,
# the compiled layers and the CUDA kernels. Sets LINKED_NEURONS_SUMMARY: what is on and what is off.
function(linked_neurons_complete target include_dir)
  linked_neurons_make_cuda("${include_dir}")
  linked_neurons_make_layers("${include_dir}")
  target_include_directories(${target} INTERFACE "${include_dir}")
  target_link_libraries(${target} INTERFACE linked_neurons_layers linked_neurons::torch)
  target_compile_definitions(${target} INTERFACE LINKED_NEURONS_WITH_LAYERS)
  if(TARGET linked_neurons_cuda)
    target_link_libraries(${target} INTERFACE linked_neurons_cuda)
    target_compile_definitions(${target} INTERFACE LINKED_NEURONS_WITH_CUDA)
  endif()
  get_target_property(version linked_neurons::torch LINKED_NEURONS_VERSION)
  set(LINKED_NEURONS_SUMMARY
      "LibTorch ${version} in ${LINKED_NEURONS_TORCH_PREFIX} (${LINKED_NEURONS_TORCH_FROM}); \
${LINKED_NEURONS_CUDA_SUMMARY}" PARENT_SCOPE)
  linked_neurons_make_torch_ops(${target} "${include_dir}")
endfunction()

set(LINKED_NEURONS_NO_TORCH
    "no LibTorch was found: not in Torch_DIR or CMAKE_PREFIX_PATH, not in python3, not in the system")
