# The targets linked_neurons_torch_ops and linked_neurons_optional_torch_ops: the layers, and those of
# optional.h, as operators of LibTorch's dispatcher, in shared libraries that torch.ops.load_library()
# takes, and that a C++ program links. Used by the build tree and by the installed package.
include_guard(GLOBAL)

# To be called once `target`, linked_neurons with the headers in include_dir, is complete. Nothing is
# compiled until somebody asks for it.
function(linked_neurons_make_torch_ops target include_dir)
  get_target_property(version linked_neurons::torch LINKED_NEURONS_VERSION)
  if(version VERSION_LESS 2.11 OR TARGET linked_neurons_torch_ops)
    return()
  endif()
  foreach(name IN ITEMS torch_ops optional_torch_ops)
    set(library linked_neurons_${name})
    add_library(${library} SHARED EXCLUDE_FROM_ALL "${include_dir}/linked_neurons/torch_ops/${name}.cpp")
    target_link_libraries(${library} PUBLIC linked_neurons::torch PRIVATE ${target})
    if(UNIX AND NOT APPLE)
      # A program that links it names none of its symbols; linkers that are told --as-needed, as many
      # distributions tell theirs, would leave it out.
      target_link_options(${library} INTERFACE
        "LINKER:--push-state,--no-as-needed,$<TARGET_FILE:${library}>,--pop-state")
    endif()
  endforeach()
  # The optional layers' loops are compiled here, and run at full speed in a program for a debugger too.
  target_compile_options(linked_neurons_optional_torch_ops PRIVATE $<$<NOT:$<CONFIG:Release>>:-O3>
                         -fno-finite-math-only -fno-unsafe-math-optimizations)
  linked_neurons_add_cuda_sources(linked_neurons_optional_torch_ops "${include_dir}/linked_neurons/cuda/optional.cu")
  if(TARGET linked_neurons_cuda)
    target_compile_definitions(linked_neurons_optional_torch_ops PRIVATE LINKED_NEURONS_WITH_OPTIONAL_CUDA)
  endif()
endfunction()

# Sets `out` to the Python whose torch is the LibTorch in use, or to nothing.
function(_linked_neurons_torch_python out)
  get_target_property(prefix linked_neurons::torch LINKED_NEURONS_PREFIX)
  file(REAL_PATH "${prefix}" prefix)
  set(${out} "" PARENT_SCOPE)
  foreach(python IN ITEMS "${prefix}/../../../../bin/python3" python3)
    execute_process(COMMAND "${python}" -c "import torch; print(torch.__path__[0], end='')"
                    OUTPUT_VARIABLE found ERROR_QUIET RESULT_VARIABLE result)
    if(result EQUAL 0)
      file(REAL_PATH "${found}" found)
      if(found STREQUAL prefix)
        cmake_path(NORMAL_PATH python)
        set(${out} "${python}" PARENT_SCOPE)
        return()
      endif()
    endif()
  endforeach()
endfunction()
