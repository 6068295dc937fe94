# What our own presets bring along from PyPI: the pinned LibTorch where there is none, and nvcc
# where there is an NVIDIA driver and no CUDA toolkit. Not installed: a user's build fetches
# nothing.
include_guard(GLOBAL)

# The presets set the folder. They leave the choice alone, or each configure step would undo what
# somebody chose on the command line.
set(by_default OFF)
if(LINKED_NEURONS_PYPI_DIR)
  set(by_default AUTO)
endif()
set(LINKED_NEURONS_PYPI_DIR "${PROJECT_BINARY_DIR}/pypi" CACHE PATH
    "The folder for the Python environments that take what comes from PyPI")
set(LINKED_NEURONS_PYPI ${by_default} CACHE STRING
    "LibTorch and nvcc from PyPI: AUTO where there are none, ON whatever there is, OFF never")
set_property(CACHE LINKED_NEURONS_PYPI PROPERTY STRINGS AUTO ON OFF)
set(LINKED_NEURONS_TORCH_VERSION 2.11.0 CACHE STRING "The LibTorch to bring from PyPI")

# These make a CUDA 13.0 toolkit, that of the pinned LibTorch, with what disassembles its code (not on
# PyPI before 13.2).
set(nvcc_packages nvidia-cuda-nvcc==13.0.88 nvidia-cuda-crt==13.0.88 nvidia-nvvm==13.0.88
    nvidia-cuda-cccl==13.0.85 nvidia-cuda-runtime==13.0.96 nvidia-cuda-cuobjdump==13.2.86
    nvidia-cuda-nvdisasm==13.2.86)

# What the tests and the benchmarks' report use besides torch.
set(tools_packages matplotlib==3.11.2 numpy==2.4.6 onnx==1.23.2 onnxruntime==1.32.0 onnxscript==0.7.2
    setuptools==80.9.0 tensorboard==2.20.0)

# What makes the site, and what opens its pages in a test.
set(docs_packages breathe==5.1.0 furo==2025.12.19 matplotlib==3.11.2 myst-parser==5.2.0 selenium==4.51.0
    sphinx==9.0.4)

# Installs packages into an environment of their own, unless it has exactly them: a stamp tells.
# Sets `problem` to what stood in the way, or to nothing.
function(_linked_neurons_pip environment problem)
  set(${problem} "" PARENT_SCOPE)
  file(MAKE_DIRECTORY "${LINKED_NEURONS_PYPI_DIR}")
  file(LOCK "${environment}.lock" GUARD FUNCTION) # the presets share it
  set(stamp "${environment}/installed")
  list(JOIN ARGN " " text)
  if(EXISTS "${stamp}")
    file(READ "${stamp}" installed)
    if(installed STREQUAL text)
      return()
    endif()
  endif()
  message(STATUS "linked_neurons: installing ${text} from PyPI into ${environment}")
  execute_process(COMMAND python3 -m venv --clear "${environment}" RESULT_VARIABLE result)
  if(NOT result EQUAL 0)
    set(${problem} "python3 -m venv failed (Debian's package: python3-venv)" PARENT_SCOPE)
    return()
  endif()
  # Python compiles a module when it first imports it; few of torch's are imported here.
  execute_process(COMMAND "${environment}/bin/python" -m pip install --quiet --no-compile ${ARGN}
                  RESULT_VARIABLE result)
  if(NOT result EQUAL 0)
    file(REMOVE_RECURSE "${environment}")
    set(${problem} "pip could not install ${text} (PIP_INDEX_URL and PIP_FIND_LINKS tell it of other places)"
        PARENT_SCOPE)
    return()
  endif()
  file(WRITE "${stamp}" "${text}")
endfunction()

# To be called after linked_neurons_find_torch(), whose variables it sets.
function(linked_neurons_pypi_torch)
  if(NOT LINKED_NEURONS_PYPI STREQUAL "ON"
     AND (LINKED_NEURONS_TORCH_PREFIX OR NOT LINKED_NEURONS_PYPI STREQUAL "AUTO"))
    return()
  endif()
  set(environment "${LINKED_NEURONS_PYPI_DIR}/torch-${LINKED_NEURONS_TORCH_VERSION}")
  set(options "")
  if(CMAKE_CROSSCOMPILING)
    # Its libraries alone: this machine's Python cannot run it.
    string(APPEND environment "-${CMAKE_SYSTEM_PROCESSOR}")
    set(options --target "${environment}/lib/python3/site-packages" --no-deps --only-binary=:all:
        --platform manylinux_2_28_${CMAKE_SYSTEM_PROCESSOR})
  endif()
  _linked_neurons_pip("${environment}" problem torch==${LINKED_NEURONS_TORCH_VERSION} ${options})
  if(problem)
    message(FATAL_ERROR "linked_neurons: LibTorch could not be had: ${problem}.\n"
                        "Name the folder of a local copy in CMAKE_PREFIX_PATH, or install Debian's package "
                        "libtorch-dev.")
  endif()
  _linked_neurons_torch_at(prefix "${environment}")
  set(LINKED_NEURONS_TORCH_PREFIX "${prefix}" PARENT_SCOPE)
  set(LINKED_NEURONS_TORCH_FROM "PyPI" PARENT_SCOPE)
endfunction()

# Points find_package(CUDAToolkit) at nvcc from PyPI. To be called once linked_neurons::torch is
# there.
function(linked_neurons_pypi_nvcc)
  get_target_property(major linked_neurons::torch LINKED_NEURONS_TORCH_CUDA)
  if(LINKED_NEURONS_CUDA STREQUAL "OFF" OR NOT major EQUAL 13)
    return()
  elseif(LINKED_NEURONS_PYPI STREQUAL "AUTO")
    # A device could run what nvcc compiles, and nvcc is all that is missing.
    _linked_neurons_find_cuda_toolkit()
    if(CUDAToolkit_NVCC_EXECUTABLE OR NOT EXISTS /proc/driver/nvidia/version)
      return()
    endif()
  elseif(NOT LINKED_NEURONS_PYPI STREQUAL "ON")
    return()
  endif()
  set(environment "${LINKED_NEURONS_PYPI_DIR}/nvcc")
  _linked_neurons_pip("${environment}" problem ${nvcc_packages})
  if(problem)
    message(FATAL_ERROR "linked_neurons: nvcc could not be had: ${problem}.\n"
                        "Install a CUDA toolkit, or configure with -D LINKED_NEURONS_CUDA=OFF.")
  endif()
  file(GLOB root "${environment}/lib/python3*/site-packages/nvidia/cu13")
  set(CUDAToolkit_ROOT "${root}" CACHE PATH "The CUDA toolkit, from PyPI" FORCE)
  unset(CUDAToolkit_BIN_DIR CACHE) # what an earlier look-up found elsewhere
  unset(CUDAToolkit_NVCC_EXECUTABLE CACHE)
  # Wheels have no unversioned link, which is the name that CMake looks for.
  set(CUDA_CUDART "${root}/lib/libcudart.so.13" CACHE FILEPATH "The CUDA runtime, from PyPI" FORCE)
endfunction()

# Sets LINKED_NEURONS_TOOLS_PYTHON to a Python that has what the tests and the report use
# (tools_packages), or to nothing, with the reason in LINKED_NEURONS_NO_TOOLS.
function(linked_neurons_pypi_tools)
  set(environment "${LINKED_NEURONS_PYPI_DIR}/tools")
  set(problem "LINKED_NEURONS_PYPI is OFF")
  if(NOT LINKED_NEURONS_PYPI STREQUAL "OFF")
    _linked_neurons_pip("${environment}" problem ${tools_packages})
  endif()
  set(LINKED_NEURONS_TOOLS_PYTHON "" PARENT_SCOPE)
  set(LINKED_NEURONS_NO_TOOLS "${problem}" PARENT_SCOPE)
  if(NOT problem)
    set(LINKED_NEURONS_TOOLS_PYTHON "${environment}/bin/python" PARENT_SCOPE)
  endif()
endfunction()

# As a script, for the target docs: nobody else waits for these packages.
#
#   cmake -D LINKED_NEURONS_PYPI_DIR=<folder> -P PyPI.cmake
if(CMAKE_SCRIPT_MODE_FILE STREQUAL CMAKE_CURRENT_LIST_FILE)
  _linked_neurons_pip("${LINKED_NEURONS_PYPI_DIR}/docs" problem ${docs_packages})
  if(problem)
    message(FATAL_ERROR "linked_neurons: the site cannot be made: ${problem}")
  endif()
endif()
