# One LibTorch for a whole program: finds its prefix, and makes the imported target
# linked_neurons::torch from that prefix alone. Used by the build tree and by the installed package.
#
# LibTorch's own TorchConfig.cmake is not loaded: it gives up on a CUDA build where the toolkit is
# missing, asks nvcc 13 for compute_50 where there is no GPU, and takes whichever Caffe2 and c10 CMake
# finds first, which with Debian's libtorch-dev beside a wheel are Debian's.
include_guard(GLOBAL)

# Sets `out` to the LibTorch prefix that `dir` means, or to nothing. `dir` may be the prefix itself, a
# folder of CMake packages inside it (torch.utils.cmake_prefix_path), one of those packages (Torch_DIR,
# Caffe2_DIR), or a Python environment that has it.
function(_linked_neurons_torch_at out dir)
  string(REGEX REPLACE "/(share|lib|lib64|lib/[^/]+)/cmake(/[^/]+)?/*$" "" prefix "${dir}")
  file(GLOB in_environment "${dir}/lib/python3*/site-packages/torch")
  set(${out} "" PARENT_SCOPE)
  foreach(candidate IN LISTS prefix in_environment)
    _linked_neurons_torch_libdir(libdir "${candidate}")
    if(libdir AND EXISTS "${candidate}/include/torch/csrc/api/include/torch/torch.h")
      set(${out} "${candidate}" PARENT_SCOPE)
      return()
    endif()
  endforeach()
endfunction()

function(_linked_neurons_torch_libdir out prefix)
  set(${out} "" PARENT_SCOPE)
  foreach(libdir IN ITEMS lib lib64 "lib/${CMAKE_LIBRARY_ARCHITECTURE}")
    if(EXISTS "${prefix}/${libdir}/libtorch${CMAKE_SHARED_LIBRARY_SUFFIX}")
      cmake_path(SET path NORMALIZE "${prefix}/${libdir}")
      set(${out} "${path}" PARENT_SCOPE)
      return()
    endif()
  endforeach()
endfunction()

# Where an imported target's file lies, or nothing.
function(_linked_neurons_location out target)
  get_target_property(configurations ${target} IMPORTED_CONFIGURATIONS)
  list(TRANSFORM configurations PREPEND IMPORTED_LOCATION_)
  set(${out} "" PARENT_SCOPE)
  foreach(property IN ITEMS IMPORTED_LOCATION LISTS configurations)
    get_target_property(location ${target} ${property})
    if(location)
      set(${out} "${location}" PARENT_SCOPE)
      return()
    endif()
  endforeach()
endfunction()

# Sets LINKED_NEURONS_TORCH_PREFIX (empty where there is none) and LINKED_NEURONS_TORCH_FROM, which
# says who named it, in the caller's scope.
function(linked_neurons_find_torch)
  macro(take who)
    if(prefix)
      cmake_path(NORMAL_PATH prefix)
      set(LINKED_NEURONS_TORCH_PREFIX "${prefix}" PARENT_SCOPE)
      set(LINKED_NEURONS_TORCH_FROM "${who}" PARENT_SCOPE)
      return()
    endif()
  endmacro()
  set(LINKED_NEURONS_TORCH_PREFIX "" PARENT_SCOPE)

  # The project at hand has chosen already: find_package(Torch).
  if(TARGET torch)
    _linked_neurons_location(location torch)
    string(REGEX REPLACE "/lib(64)?(/[^/]+)?/[^/]+$" "" dir "${location}")
    _linked_neurons_torch_at(prefix "${dir}")
    take("the target torch of this project")
  endif()

  foreach(variable IN ITEMS Torch_DIR Torch_ROOT)
    foreach(dir IN ITEMS "${${variable}}" "$ENV{${variable}}")
      if(dir)
        _linked_neurons_torch_at(prefix "${dir}")
        take(${variable})
        message(FATAL_ERROR "linked_neurons: ${variable} is ${dir}, but no LibTorch is there "
                            "(include/torch/csrc/api/include/torch/torch.h and lib/libtorch.so).")
      endif()
    endforeach()
  endforeach()

  string(REPLACE ":" ";" environment "$ENV{CMAKE_PREFIX_PATH}")
  foreach(dir IN LISTS CMAKE_PREFIX_PATH environment)
    _linked_neurons_torch_at(prefix "${dir}")
    take(CMAKE_PREFIX_PATH)
  endforeach()

  if(NOT CMAKE_CROSSCOMPILING)
    # find_spec looks torch up without the seconds that importing it takes.
    execute_process(
      COMMAND python3 -c "import importlib.util as u
s = u.find_spec('torch')
print(s.submodule_search_locations[0] if s and s.origin else '')"
      WORKING_DIRECTORY "${CMAKE_BINARY_DIR}" # not in a folder that has its own torch/
      OUTPUT_VARIABLE dir OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET RESULT_VARIABLE ignored)
    _linked_neurons_torch_at(prefix "${dir}")
    take("the torch of python3")
  endif()

  _linked_neurons_system_torch(prefix)
  take("the system")
endfunction()

function(_linked_neurons_system_torch out)
  set(prefix "")
  foreach(dir IN LISTS CMAKE_SYSTEM_PREFIX_PATH)
    if(NOT prefix)
      _linked_neurons_torch_at(prefix "${dir}")
    endif()
  endforeach()
  set(${out} "${prefix}" PARENT_SCOPE)
endfunction()

# Stops where torch, c10 and the headers would come from different LibTorchs: such a program links, and
# crashes at its start. Called when linked_neurons::torch is made, and again when the folder has been
# read, since a project may call find_package(Torch) later.
function(linked_neurons_check_one_torch)
  get_target_property(prefix linked_neurons::torch LINKED_NEURONS_PREFIX)
  get_target_property(libdir linked_neurons::torch LINKED_NEURONS_LIBDIR)
  get_target_property(version linked_neurons::torch LINKED_NEURONS_VERSION)
  file(REAL_PATH "${libdir}" libdir)
  set(strangers "")

  foreach(target IN ITEMS torch torch_cpu torch_cuda c10 c10_cuda)
    if(TARGET ${target})
      _linked_neurons_location(location ${target})
      if(location)
        file(REAL_PATH "${location}" real)
        cmake_path(GET real PARENT_PATH dir)
        if(NOT dir STREQUAL libdir)
          string(APPEND strangers "\n  the target ${target} is ${location}")
        endif()
      endif()
    endif()
  endforeach()

  file(REAL_PATH "${prefix}" real_prefix)
  foreach(variable IN ITEMS Torch_DIR Caffe2_DIR)
    foreach(dir IN ITEMS "${${variable}}" "$ENV{${variable}}")
      if(dir)
        _linked_neurons_torch_at(other "${dir}")
        file(REAL_PATH "${other}" real)
        if(NOT real STREQUAL real_prefix)
          string(APPEND strangers "\n  ${variable} is ${dir}")
        endif()
      endif()
    endforeach()
  endforeach()

  # What the libraries say of themselves: a distribution in the file's name, a wheel in version.py, a
  # zip in build-version.
  file(REAL_PATH "${libdir}/libtorch${CMAKE_SHARED_LIBRARY_SUFFIX}" library)
  set(says "${library}")
  foreach(file IN ITEMS version.py build-version)
    if(EXISTS "${prefix}/${file}")
      file(STRINGS "${prefix}/${file}" says REGEX "^(__version__|[0-9])" LIMIT_COUNT 1)
    endif()
  endforeach()
  if(says MATCHES "([0-9]+\\.[0-9]+)\\.[0-9]+[^/]*$")
    set(library_version "${CMAKE_MATCH_1}")
    if(NOT version MATCHES "^${library_version}\\.")
      string(APPEND strangers "\n  the libraries in ${libdir} are of version ${library_version}")
    endif()
  endif()

  if(strangers)
    message(FATAL_ERROR
      "linked_neurons: torch, c10 and the headers would come from different LibTorchs.\n"
      "  linked_neurons uses LibTorch ${version} in ${prefix}, but${strangers}\n"
      "A program made of two LibTorchs crashes at its start. Put the prefix of the one you want first "
      "in CMAKE_PREFIX_PATH, unset Torch_DIR and Caffe2_DIR, and configure in a fresh build folder.")
  endif()
endfunction()

# Makes linked_neurons::torch from the prefix. Its properties LINKED_NEURONS_VERSION, _PREFIX, _LIBDIR,
# _STANDARD and _CUDA (the CUDA runtime's major version, empty in a CPU build) tell what it is.
function(linked_neurons_make_torch prefix)
  _linked_neurons_torch_libdir(libdir "${prefix}")
  set(api "${prefix}/include/torch/csrc/api/include")

  foreach(header IN ITEMS "${prefix}/include/torch/headeronly/version.h" "${api}/torch/version.h")
    if(EXISTS "${header}")
      file(STRINGS "${header}" lines REGEX "define TORCH_VERSION_(MAJOR|MINOR|PATCH) ")
      string(REGEX MATCHALL "[0-9]+" numbers "${lines}")
      list(JOIN numbers "." version)
      if(version)
        break()
      endif()
    endif()
  endforeach()

  # Its headers say which C++ they need; ours need 17.
  set(standard 17)
  file(STRINGS "${api}/torch/all.h" lines REGEX "__cplusplus < 2020")
  if(lines)
    set(standard 20)
  endif()

  set(names torch_cpu c10)
  set(cuda "")
  if(EXISTS "${libdir}/libtorch_cuda.so" AND EXISTS "${libdir}/libc10_cuda.so")
    list(PREPEND names torch_cuda c10_cuda)
    file(STRINGS "${libdir}/libc10_cuda.so" line REGEX "libcudart.*\\.so\\.[0-9]+" LIMIT_COUNT 1)
    string(REGEX REPLACE ".*libcudart[^/]*\\.so\\.([0-9]+).*" "\\1" cuda "${line}")
  endif()
  list(TRANSFORM names REPLACE "(.+)" "${libdir}/lib\\1${CMAKE_SHARED_LIBRARY_SUFFIX}"
       OUTPUT_VARIABLE libraries)
  # libtorch.so holds no code. It names the libraries whose operators register themselves, and a
  # linker that keeps only what is referred to would drop it, and CUDA with it.
  set(torch "${libdir}/libtorch${CMAKE_SHARED_LIBRARY_SUFFIX}")
  if(CMAKE_SYSTEM_NAME STREQUAL "Linux")
    set(torch "-Wl,--push-state,--no-as-needed,${torch},--pop-state")
  endif()

  # /usr/include as a system folder would hide the C++ library's own headers from include_next.
  set(includes "${api}")
  if(NOT "${prefix}/include" IN_LIST CMAKE_CXX_IMPLICIT_INCLUDE_DIRECTORIES)
    list(PREPEND includes "${prefix}/include")
  endif()

  set(definitions "")
  foreach(config IN ITEMS "${prefix}/share" "${libdir}")
    if(EXISTS "${config}/cmake/Torch/TorchConfig.cmake")
      file(STRINGS "${config}/cmake/Torch/TorchConfig.cmake" line REGEX "_GLIBCXX_USE_CXX11_ABI=")
      string(REGEX MATCH "_GLIBCXX_USE_CXX11_ABI=[01]" definitions "${line}")
    endif()
  endforeach()

  # GLOBAL, since sibling folders link the one that the first of them found.
  add_library(linked_neurons::torch INTERFACE IMPORTED GLOBAL)
  target_link_libraries(linked_neurons::torch INTERFACE ${torch} ${libraries})
  target_include_directories(linked_neurons::torch SYSTEM INTERFACE ${includes})
  target_compile_features(linked_neurons::torch INTERFACE cxx_std_${standard})
  target_compile_definitions(linked_neurons::torch INTERFACE ${definitions})
  set_target_properties(linked_neurons::torch PROPERTIES
    LINKED_NEURONS_VERSION "${version}"
    LINKED_NEURONS_PREFIX "${prefix}"
    LINKED_NEURONS_LIBDIR "${libdir}"
    LINKED_NEURONS_STANDARD "${standard}"
    LINKED_NEURONS_TORCH_CUDA "${cuda}")

  linked_neurons_check_one_torch()
  cmake_language(DEFER CALL linked_neurons_check_one_torch)
endfunction()
