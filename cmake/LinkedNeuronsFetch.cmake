# A library that our own programs use: the system's, else fetched from its own site, with its warnings
# left to it.
include_guard(GLOBAL)
include(FetchContent)

# linked_neurons_find_or_fetch(PACKAGE find_package's arguments... URL url SHA256 hash)
function(linked_neurons_find_or_fetch package)
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "URL;SHA256" "")
  find_package(${package} ${arg_UNPARSED_ARGUMENTS} QUIET)
  if(${package}_FOUND)
    return()
  endif()
  set(CMAKE_COMPILE_WARNING_AS_ERROR OFF)
  string(TOLOWER ${package} name)
  FetchContent_Declare(${name} URL ${arg_URL} URL_HASH SHA256=${arg_SHA256}
    DOWNLOAD_EXTRACT_TIMESTAMP ON SYSTEM)
  FetchContent_MakeAvailable(${name})
endfunction()
