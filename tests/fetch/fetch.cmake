# cmake -D ARCHIVE=<addresses and SHA-256s> -D LINKED_NEURONS_FETCH_DIR=<folder> -P fetch.cmake: fetches one
# dependency, and says into which folder.
cmake_minimum_required(VERSION 3.25)
include("${CMAKE_CURRENT_LIST_DIR}/../../cmake/project/Fetch.cmake")

linked_neurons_dependency(Treasure DEBIAN libtreasure-dev LOCAL Treasure_ROOT ARCHIVE ${ARCHIVE})
linked_neurons_fetch(Treasure folder problem)
if(problem)
  linked_neurons_missing(Treasure "${problem}")
endif()
message(STATUS "folder=${folder}")
