# What our own presets bring along from PyPI: the pinned LibTorch where there is none, and nvcc where
# there is an NVIDIA driver and no CUDA toolkit. Not installed: a user's build fetches nothing.
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

# These make a CUDA 13.0 toolkit, that of the pinned LibTorch.
set(nvcc_packages nvidia-cuda-nvcc==13.0.88 nvidia-cuda-crt==13.0.88 nvidia-nvvm==13.0.88
    nvidia-cuda-cccl==13.0.85 nvidia-cuda-runtime==13.0.96)

# Installs packages into an environment of their own, unless it has them: a stamp tells.
function(_linked_neurons_pip environment)
  file(MAKE_DIRECTORY "${LINKED_NEURONS_PYPI_DIR}")
  file(LOCK "${environment}.lock" GUARD FUNCTION) # the presets share it
  if(EXISTS "${environment}/installed")
    return()
  endif()
  list(JOIN ARGN " " text)
  message(STATUS "linked_neurons: installing ${text} from PyPI into ${environment}")
  execute_process(COMMAND python3 -m venv --clear "${environment}" RESULT_VARIABLE result)
  if(NOT result EQUAL 0)
    message(FATAL_ERROR "linked_neurons: python3 -m venv failed (Debian's package: python3-venv).")
  endif()
  execute_process(COMMAND "${environment}/bin/python" -m pip install --quiet ${ARGN}
                  RESULT_VARIABLE result)
  if(NOT result EQUAL 0)
    message(FATAL_ERROR "linked_neurons: pip could not install ${text}.")
  endif()
  file(TOUCH "${environment}/installed")
endfunction()

# To be called after linked_neurons_find_torch(), whose variables it sets.
function(linked_neurons_pypi_torch)
  if(NOT LINKED_NEURONS_PYPI STREQUAL "ON"
     AND (LINKED_NEURONS_TORCH_PREFIX OR NOT LINKED_NEURONS_PYPI STREQUAL "AUTO"))
    return()
  endif()
  set(environment "${LINKED_NEURONS_PYPI_DIR}/torch-${LINKED_NEURONS_TORCH_VERSION}")
  _linked_neurons_pip("${environment}" torch==${LINKED_NEURONS_TORCH_VERSION})
  _linked_neurons_torch_at(prefix "${environment}")
  set(LINKED_NEURONS_TORCH_PREFIX "${prefix}" PARENT_SCOPE)
  set(LINKED_NEURONS_TORCH_FROM "PyPI" PARENT_SCOPE)
endfunction()

# Points find_package(CUDAToolkit) at nvcc from PyPI. To be called once linked_neurons::torch is there.
function(linked_neurons_pypi_nvcc)
  get_target_property(major linked_neurons::torch LINKED_NEURONS_CUDA)
  if(LINKED_NEURONS_CUDA STREQUAL "OFF" OR NOT major EQUAL 13)
    return()
  elseif(LINKED_NEURONS_PYPI STREQUAL "AUTO")
    # A device could run what nvcc compiles, and nvcc is all that is missing.
    find_package(CUDAToolkit QUIET)
    if(CUDAToolkit_NVCC_EXECUTABLE OR NOT EXISTS /proc/driver/nvidia/version)
      return()
    endif()
  elseif(NOT LINKED_NEURONS_PYPI STREQUAL "ON")
    return()
  endif()
  set(environment "${LINKED_NEURONS_PYPI_DIR}/nvcc")
  _linked_neurons_pip("${environment}" ${nvcc_packages})
  file(GLOB root "${environment}/lib/python3*/site-packages/nvidia/cu13")
  set(CUDAToolkit_ROOT "${root}" CACHE PATH "The CUDA toolkit, from PyPI" FORCE)
  unset(CUDAToolkit_BIN_DIR CACHE) # what an earlier look-up found elsewhere
  unset(CUDAToolkit_NVCC_EXECUTABLE CACHE)
  # Wheels have no unversioned link, which is the name that CMake looks for.
  set(CUDA_CUDART "${root}/lib/libcudart.so.13" CACHE FILEPATH "The CUDA runtime, from PyPI" FORCE)
endfunction()

# A Python that has TensorBoard, for the test that reads our event files back; empty where PyPI is off.
function(linked_neurons_pypi_tensorboard python)
  set(${python} "" PARENT_SCOPE)
  if(NOT LINKED_NEURONS_PYPI STREQUAL "OFF")
    set(environment "${LINKED_NEURONS_PYPI_DIR}/tensorboard")
    _linked_neurons_pip("${environment}" tensorboard==2.20.0 setuptools==80.9.0)
    set(${python} "${environment}/bin/python" PARENT_SCOPE)
  endif()
endfunction()
