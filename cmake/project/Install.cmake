# The headers (the CUDA source among them) and the package linked_neurons. Nothing is compiled, so the
# package fits every architecture.
include(GNUInstallDirs)
include(CMakePackageConfigHelpers)

set(package_dir "${CMAKE_INSTALL_DATADIR}/cmake/linked_neurons")
configure_package_config_file(
  cmake/linked_neurons-config.cmake.in linked_neurons-config.cmake
  INSTALL_DESTINATION "${package_dir}" PATH_VARS CMAKE_INSTALL_INCLUDEDIR)
write_basic_package_version_file(
  linked_neurons-config-version.cmake COMPATIBILITY SameMinorVersion ARCH_INDEPENDENT)

install(DIRECTORY include/linked_neurons DESTINATION "${CMAKE_INSTALL_INCLUDEDIR}")
install(FILES
  "${PROJECT_BINARY_DIR}/linked_neurons-config.cmake"
  "${PROJECT_BINARY_DIR}/linked_neurons-config-version.cmake"
  cmake/LinkedNeurons.cmake cmake/LinkedNeuronsTorch.cmake cmake/LinkedNeuronsCuda.cmake
  cmake/LinkedNeuronsLayers.cmake cmake/LinkedNeuronsTorchOps.cmake
  DESTINATION "${package_dir}")
