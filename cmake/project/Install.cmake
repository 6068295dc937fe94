# The headers (the CUDA source among them) and the package linked_neurons. Nothing is compiled, so the
# package fits every architecture.
#
# As a script it installs them at once, into the wheel of the Python package:
#
#   cmake -D PREFIX=<folder> -D PROJECT_VERSION=<version> -P Install.cmake
include(CMakePackageConfigHelpers)

if(CMAKE_SCRIPT_MODE_FILE STREQUAL CMAKE_CURRENT_LIST_FILE)
  set(CMAKE_INSTALL_PREFIX "${PREFIX}")
  set(CMAKE_INSTALL_DATADIR share)
  set(CMAKE_INSTALL_INCLUDEDIR include)
  set(destination "${PREFIX}/")
  set(generated "${PREFIX}/share/cmake/linked_neurons") # where they are installed
  macro(linked_neurons_install kind)
    file(INSTALL ${ARGN})
  endmacro()
else()
  include(GNUInstallDirs)
  set(destination "")
  set(generated "${PROJECT_BINARY_DIR}")
  macro(linked_neurons_install kind)
    install(${kind} ${ARGN})
  endmacro()
endif()

set(package_dir "${CMAKE_INSTALL_DATADIR}/cmake/linked_neurons")
configure_package_config_file(
  "${CMAKE_CURRENT_LIST_DIR}/../linked_neurons-config.cmake.in" "${generated}/linked_neurons-config.cmake"
  INSTALL_DESTINATION "${package_dir}" PATH_VARS CMAKE_INSTALL_INCLUDEDIR)
write_basic_package_version_file(
  "${generated}/linked_neurons-config-version.cmake" COMPATIBILITY SameMinorVersion ARCH_INDEPENDENT)

set(files LinkedNeurons.cmake LinkedNeuronsTorch.cmake LinkedNeuronsCuda.cmake LinkedNeuronsLayers.cmake
    LinkedNeuronsTorchOps.cmake)
list(TRANSFORM files PREPEND "${CMAKE_CURRENT_LIST_DIR}/../")
list(APPEND files "${generated}/linked_neurons-config.cmake" "${generated}/linked_neurons-config-version.cmake")
linked_neurons_install(DIRECTORY "${CMAKE_CURRENT_LIST_DIR}/../../include/linked_neurons"
                       DESTINATION "${destination}${CMAKE_INSTALL_INCLUDEDIR}")
linked_neurons_install(FILES ${files} DESTINATION "${destination}${package_dir}")
