# The CUDA kernels, compiled once per build tree into the shared library linked_neurons_cuda, and
# linked_neurons_add_cuda_sources() for a program's own. Used by the build tree and by the installed
# package.
#
# Custom commands call nvcc. CMake's language CUDA would have to be enabled in a folder above all that
# link the kernels, which a package cannot see to, and enabling it sets the caller's
# CMAKE_CUDA_ARCHITECTURES.
include_guard(GLOBAL)

# Which architectures to compile for, in nvcc's flags and in words.
function(_linked_neurons_architectures out_flags out_text)
  set(wanted "${TORCH_CUDA_ARCH_LIST}")
  if(NOT wanted)
    set(wanted "$ENV{TORCH_CUDA_ARCH_LIST}")
  endif()
  if(NOT wanted)
    set(wanted "${CMAKE_CUDA_ARCHITECTURES}")
  endif()
  if(NOT wanted)
    execute_process(COMMAND nvidia-smi --query-gpu=compute_cap --format=csv,noheader
                    OUTPUT_VARIABLE output ERROR_QUIET RESULT_VARIABLE ignored)
    string(REGEX MATCHALL "[0-9]+\\.[0-9]+" wanted "${output}")
    list(REMOVE_DUPLICATES wanted)
  endif()
  if(NOT wanted)
    set(wanted 9.0+PTX) # PTX, so that later devices can run it too
  endif()

  string(REGEX REPLACE "[ ,;]+" ";" wanted "${wanted}")
  set(flags "")
  foreach(arch IN LISTS wanted)
    # LibTorch writes 9.0 and 9.0+PTX; CMake 90 (both of them), 90-real and 90-virtual.
    if(arch MATCHES "^([0-9]+)\\.([0-9][af]?)(\\+PTX)?$")
      set(number "${CMAKE_MATCH_1}${CMAKE_MATCH_2}")
      set(codes "sm")
      if(CMAKE_MATCH_3)
        list(APPEND codes "compute")
      endif()
    elseif(arch MATCHES "^([0-9]+[af]?)(-real|-virtual)?$")
      set(number "${CMAKE_MATCH_1}")
      set(codes "sm;compute")
      if(CMAKE_MATCH_2)
        string(REPLACE "-real" "sm" codes "${CMAKE_MATCH_2}")
        string(REPLACE "-virtual" "compute" codes "${codes}")
      endif()
    elseif(arch MATCHES "^(native|all|all-major)$")
      list(APPEND flags "-arch=${arch}")
      continue()
    else()
      message(FATAL_ERROR "linked_neurons: '${arch}' in TORCH_CUDA_ARCH_LIST or "
                          "CMAKE_CUDA_ARCHITECTURES is no architecture such as 9.0, 9.0+PTX or 90.")
    endif()
    foreach(code IN LISTS codes)
      list(APPEND flags "-gencode=arch=compute_${number},code=${code}_${number}")
    endforeach()
  endforeach()
  list(JOIN wanted " " text)
  set(${out_flags} "${flags}" PARENT_SCOPE)
  set(${out_text} "${text}" PARENT_SCOPE)
endfunction()

# The CUDA runtime that LibTorch itself loads, so that a program has one; else the toolkit's.
function(_linked_neurons_cudart out prefix major)
  file(GLOB found "${prefix}/lib/libcudart*.so.${major}*"
       "${prefix}/../nvidia/*/lib/libcudart.so.${major}*")
  if(found)
    list(GET found 0 cudart)
    cmake_path(NORMAL_PATH cudart)
  else()
    set(cudart "${CUDA_CUDART}")
  endif()
  set(${out} "${cudart}" PARENT_SCOPE)
endfunction()

# find_package(CUDAToolkit), which in CMake 3.25, told that this version is the least, stops at a
# toolkit without nvToolsExt: at CUDA 13, and at nvcc alone.
macro(_linked_neurons_find_cuda_toolkit)
  set(_linked_neurons_least "${CMAKE_MINIMUM_REQUIRED_VERSION}")
  set(CMAKE_MINIMUM_REQUIRED_VERSION 3.24)
  find_package(CUDAToolkit QUIET)
  set(CMAKE_MINIMUM_REQUIRED_VERSION "${_linked_neurons_least}")
endmacro()

# Makes the target linked_neurons_cuda where LINKED_NEURONS_CUDA, LibTorch and the toolkit allow it, and
# sets LINKED_NEURONS_CUDA_SUMMARY: whether, and why.
function(linked_neurons_make_cuda include_dir)
  macro(off reason)
    if(LINKED_NEURONS_CUDA STREQUAL "ON")
      message(FATAL_ERROR "linked_neurons: LINKED_NEURONS_CUDA is ON, but ${reason}.")
    endif()
    set(LINKED_NEURONS_CUDA_SUMMARY "CUDA kernels off: ${reason}" PARENT_SCOPE)
    return()
  endmacro()

  if(NOT LINKED_NEURONS_CUDA MATCHES "^(AUTO|ON)$")
    off("LINKED_NEURONS_CUDA is ${LINKED_NEURONS_CUDA}")
  endif()
  get_target_property(major linked_neurons::torch LINKED_NEURONS_TORCH_CUDA)
  get_target_property(prefix linked_neurons::torch LINKED_NEURONS_PREFIX)
  get_target_property(standard linked_neurons::torch LINKED_NEURONS_STANDARD)
  if(NOT major)
    off("this LibTorch is a CPU build")
  endif()
  _linked_neurons_find_cuda_toolkit()
  if(NOT CUDAToolkit_FOUND OR NOT CUDAToolkit_NVCC_EXECUTABLE)
    off("this LibTorch is a CUDA ${major} build, but no CUDA toolkit (nvcc) was found")
  endif()
  if(NOT CUDAToolkit_VERSION_MAJOR EQUAL major)
    off("this LibTorch is a CUDA ${major} build, but nvcc is ${CUDAToolkit_VERSION}")
  endif()

  _linked_neurons_architectures(flags architectures)
  _linked_neurons_cudart(cudart "${prefix}" "${major}")
  set(host "${CMAKE_CXX_COMPILER}")
  if(CMAKE_CUDA_HOST_COMPILER)
    set(host "${CMAKE_CUDA_HOST_COMPILER}")
  elseif(DEFINED ENV{CUDAHOSTCXX})
    set(host "$ENV{CUDAHOSTCXX}")
  endif()

  add_library(linked_neurons::cudart INTERFACE IMPORTED GLOBAL)
  target_link_libraries(linked_neurons::cudart INTERFACE "${cudart}")
  target_include_directories(linked_neurons::cudart SYSTEM INTERFACE ${CUDAToolkit_INCLUDE_DIRS})

  # Shared: linked from any folder of the project, and compiled when one of them links it.
  add_library(linked_neurons_cuda SHARED EXCLUDE_FROM_ALL)
  set_target_properties(linked_neurons_cuda PROPERTIES
    LINKER_LANGUAGE CXX
    LINKED_NEURONS_NVCC "${CUDAToolkit_NVCC_EXECUTABLE};-ccbin=${host};-std=c++${standard};${flags}")
  target_link_libraries(linked_neurons_cuda PRIVATE linked_neurons::torch)
  target_include_directories(linked_neurons_cuda PRIVATE "${include_dir}")
  linked_neurons_add_cuda_sources(linked_neurons_cuda
    "${include_dir}/linked_neurons/cuda/linked_neurons.cu")
  set(LINKED_NEURONS_CUDA_SUMMARY
      "CUDA kernels on: nvcc ${CUDAToolkit_VERSION}, architectures ${architectures}" PARENT_SCOPE)
endfunction()

#[[
linked_neurons_add_cuda_sources(target file.cu...)

Compiles the files with nvcc, with the target's definitions and include folders, and adds them to it:
the CUDA kernels of a program's own activations. A static or an object library hands what is compiled on
to the programs and shared libraries that link it: nothing refers to it by name, so in an archive no
linker would look for it. Where the kernels are off the function does nothing, and the program takes the
composed path. LINKED_NEURONS_NVCC_FLAGS is a list of further flags; --use_fast_math, of which no header
can tell, is refused.
]]
function(linked_neurons_add_cuda_sources target)
  if("${LINKED_NEURONS_NVCC_FLAGS}" MATCHES "use_fast_math")
    message(FATAL_ERROR "linked_neurons: LINKED_NEURONS_NVCC_FLAGS has --use_fast_math, which would make "
                        "the layers' results wrong.")
  endif()
  if(NOT TARGET linked_neurons_cuda)
    return()
  endif()
  get_target_property(type ${target} TYPE)
  get_target_property(nvcc linked_neurons_cuda LINKED_NEURONS_NVCC)
  set(system "$<TARGET_PROPERTY:linked_neurons::torch,INTERFACE_INCLUDE_DIRECTORIES>")
  set(folders "$<TARGET_PROPERTY:${target},INCLUDE_DIRECTORIES>")
  set(definitions "$<TARGET_PROPERTY:${target},COMPILE_DEFINITIONS>")

  foreach(source IN LISTS ARGN)
    cmake_path(ABSOLUTE_PATH source NORMALIZE)
    cmake_path(GET source FILENAME name)
    set(object "${CMAKE_CURRENT_BINARY_DIR}/${target}.cuda/${name}${CMAKE_CXX_OUTPUT_EXTENSION}")
    file(MAKE_DIRECTORY "${CMAKE_CURRENT_BINARY_DIR}/${target}.cuda")
    add_custom_command(
      OUTPUT "${object}"
      COMMAND ${CMAKE_CXX_COMPILER_LAUNCHER} ${nvcc} -O3 "$<$<NOT:$<CONFIG:Debug>>:-DNDEBUG>"
              -Xcompiler=-fPIC --expt-relaxed-constexpr ${LINKED_NEURONS_NVCC_FLAGS}
              "$<$<BOOL:${definitions}>:-D$<JOIN:${definitions},;-D>>"
              -isystem "$<JOIN:${system},;-isystem;>"
              "$<$<BOOL:${folders}>:-I$<JOIN:${folders},;-I>>"
              -MD -MF "${object}.d" -c "${source}" -o "${object}"
      MAIN_DEPENDENCY "${source}"
      DEPFILE "${object}.d"
      COMMENT "Compiling ${name} for ${target} with nvcc"
      COMMAND_EXPAND_LISTS VERBATIM)
    set_source_files_properties("${object}" PROPERTIES GENERATED TRUE)
    target_sources(${target} PRIVATE "${object}")
    if(type MATCHES "^(STATIC|OBJECT)_LIBRARY$")
      set_source_files_properties("${object}" PROPERTIES HEADER_FILE_ONLY TRUE) # made, and not archived
      set_property(TARGET ${target} APPEND PROPERTY INTERFACE_LINK_LIBRARIES "${object}" linked_neurons::cudart)
    else()
      set_source_files_properties("${object}" PROPERTIES EXTERNAL_OBJECT TRUE)
    endif()
  endforeach()
  # The property, since a target takes target_link_libraries with or without PRIVATE, but not both.
  set_property(TARGET ${target} APPEND PROPERTY LINK_LIBRARIES linked_neurons::cudart)
endfunction()
