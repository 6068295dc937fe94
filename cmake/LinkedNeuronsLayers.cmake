# The layers of the library's own activations, compiled once per build tree into the static library
# linked_neurons_layers: every target that links ours shares them. Used by the build tree and by the
# installed package.
include_guard(GLOBAL)

# Makes the target linked_neurons_layers from the headers in include_dir. To be called once the CUDA
# kernels, which the layers use, are there or known not to be.
function(linked_neurons_make_layers include_dir)
  # Static, so that there is nothing more to ship with a program, and position independent, so that
  # a shared library can take it in. Compiled when something links it.
  add_library(linked_neurons_layers STATIC EXCLUDE_FROM_ALL "${include_dir}/linked_neurons/detail/layers.cpp")
  set_target_properties(linked_neurons_layers PROPERTIES POSITION_INDEPENDENT_CODE ON)
  target_include_directories(linked_neurons_layers PRIVATE "${include_dir}")
  target_link_libraries(linked_neurons_layers PUBLIC linked_neurons::torch)
  # A program that is compiled for a debugger still trains at full speed.
  target_compile_options(linked_neurons_layers PRIVATE $<$<NOT:$<CONFIG:Release>>:-O3>)
  # Nor does what -Ofast or -ffast-math does to the rest of a program reach the layers, whatever the
  # compiler.
  target_compile_options(linked_neurons_layers PRIVATE -fno-finite-math-only -fno-unsafe-math-optimizations)
  if(TARGET linked_neurons_cuda)
    target_link_libraries(linked_neurons_layers PUBLIC linked_neurons_cuda)
    target_compile_definitions(linked_neurons_layers PRIVATE LINKED_NEURONS_WITH_CUDA)
  endif()
endfunction()
