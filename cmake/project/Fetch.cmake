# Gets what Dependencies.cmake lists: the system's package if it is there, else Debian's or Ubuntu's
# package, downloaded and unpacked without root, else the project's own archive, checked against its
# SHA-256.
#
# LINKED_NEURONS_FETCH_DIR is the folder for what is fetched. A dependency has a folder of its own
# there, which gets its name once all of it is in it: an interrupted or failed run leaves nothing
# that a later one takes.
include_guard(GLOBAL)

# linked_neurons_dependency(name DEBIAN package LOCAL variable ARCHIVE (url sha256)...): a row of
# the table.
function(linked_neurons_dependency name)
  cmake_parse_arguments(PARSE_ARGV 1 row "" "DEBIAN;LOCAL" "ARCHIVE")
  foreach(column IN ITEMS DEBIAN LOCAL ARCHIVE)
    set_property(GLOBAL PROPERTY LINKED_NEURONS_${name}_${column} "${row_${column}}")
  endforeach()
endfunction()

# Sets `out` to the local copy that somebody named, or to nothing.
function(linked_neurons_local_copy name out)
  get_property(variable GLOBAL PROPERTY LINKED_NEURONS_${name}_LOCAL)
  set(${out} "${${variable}}" PARENT_SCOPE)
  if(NOT ${variable})
    set(${out} "$ENV{${variable}}" PARENT_SCOPE)
  endif()
endfunction()

# Stops, and tells somebody whose dependency could not be had why, and what to do.
function(linked_neurons_missing name problem)
  get_property(package GLOBAL PROPERTY LINKED_NEURONS_${name}_DEBIAN)
  get_property(variable GLOBAL PROPERTY LINKED_NEURONS_${name}_LOCAL)
  message(FATAL_ERROR "linked_neurons: ${name} could not be had:${problem}\n"
                      "Install Debian's package ${package}, or set ${variable} to the folder of a local copy.")
endfunction()

# Every function below that ends in `problem` leaves there what stood in its way, or nothing.

# Runs a command in a folder.
function(_linked_neurons_run folder problem)
  execute_process(COMMAND ${ARGN} WORKING_DIRECTORY "${folder}" TIMEOUT 600
                  OUTPUT_QUIET ERROR_VARIABLE error RESULT_VARIABLE result)
  set(${problem} "" PARENT_SCOPE)
  if(NOT result EQUAL 0)
    string(STRIP "${error}" error)
    string(REGEX REPLACE "[ \t]*\n[ \t]*" "; " error "${error}")
    list(GET ARGN 0 program)
    cmake_path(GET program FILENAME program)
    set(${problem} "${program} failed (${result}): ${error}" PARENT_SCOPE)
  endif()
endfunction()

function(_linked_neurons_apt_download package folder problem)
  _linked_neurons_run("${folder}" obstacle "${LINKED_NEURONS_APT_GET}" download "${package}")
  if(obstacle)
    # A fresh container has no package lists, an old machine's name versions that are gone, and
    # renewing the system's takes root: keep our own, renewed once a run.
    set(lists "${LINKED_NEURONS_FETCH_DIR}/apt-lists")
    set(apt_get "${LINKED_NEURONS_APT_GET}" -o "Dir::State::Lists=${lists}")
    get_property(renewed GLOBAL PROPERTY LINKED_NEURONS_APT_LISTS_RENEWED)
    set(obstacle "")
    if(NOT renewed)
      file(MAKE_DIRECTORY "${lists}/partial")
      _linked_neurons_run("${folder}" obstacle ${apt_get} -o APT::Update::Error-Mode=any update)
    endif()
    if(NOT obstacle)
      set_property(GLOBAL PROPERTY LINKED_NEURONS_APT_LISTS_RENEWED ON)
      _linked_neurons_run("${folder}" obstacle ${apt_get} download "${package}")
    endif()
  endif()
  set(${problem} "${obstacle}" PARENT_SCOPE)
endfunction()

# Fills `folder` with what Debian's package installs, and the packages of the same version that it
# depends on: a library's headers need the library.
function(_linked_neurons_from_debian package folder problem)
  set(${problem} "no apt-get and dpkg-deb here" PARENT_SCOPE)
  find_program(LINKED_NEURONS_APT_GET apt-get)
  find_program(LINKED_NEURONS_DPKG_DEB dpkg-deb)
  mark_as_advanced(LINKED_NEURONS_APT_GET LINKED_NEURONS_DPKG_DEB)
  if(NOT LINKED_NEURONS_APT_GET OR NOT LINKED_NEURONS_DPKG_DEB)
    return()
  endif()
  set(files "${folder}.files")
  file(MAKE_DIRECTORY "${files}")
  set(wanted "${package}")
  while(wanted)
    list(POP_FRONT wanted name)
    _linked_neurons_apt_download("${name}" "${files}" obstacle)
    file(GLOB file "${files}/${name}_*.deb")
    if(NOT obstacle)
      _linked_neurons_run("${files}" obstacle "${LINKED_NEURONS_DPKG_DEB}" --extract "${file}" "${folder}")
    endif()
    if(obstacle)
      set(${problem} "${obstacle}" PARENT_SCOPE)
      return()
    endif()
    if(name STREQUAL package)
      execute_process(COMMAND "${LINKED_NEURONS_DPKG_DEB}" --field "${file}" Version
                      OUTPUT_VARIABLE version OUTPUT_STRIP_TRAILING_WHITESPACE)
      execute_process(COMMAND "${LINKED_NEURONS_DPKG_DEB}" --field "${file}" Depends
                      OUTPUT_VARIABLE depends OUTPUT_STRIP_TRAILING_WHITESPACE)
      string(REGEX REPLACE " *, *" ";" depends "${depends}")
      foreach(dependency IN LISTS depends)
        if(dependency MATCHES "^([^ :]+)[^ ]* \\(= *(.*)\\)$" AND CMAKE_MATCH_2 STREQUAL version)
          list(APPEND wanted "${CMAKE_MATCH_1}")
        endif()
      endforeach()
    endif()
  endwhile()
  set(${problem} "" PARENT_SCOPE)
endfunction()

# Fills `folder` with the files at the addresses, what is an archive unpacked.
function(_linked_neurons_from_archive archives folder problem)
  file(MAKE_DIRECTORY "${folder}")
  while(archives)
    list(POP_FRONT archives url sha256)
    cmake_path(GET url FILENAME name)
    set(file "${folder}/${name}")
    file(DOWNLOAD "${url}" "${file}" STATUS status INACTIVITY_TIMEOUT 60)
    list(POP_FRONT status code)
    set(obstacle "")
    if(NOT code EQUAL 0)
      set(obstacle "${status}")
    else()
      file(SHA256 "${file}" found)
      if(NOT found STREQUAL sha256)
        set(obstacle "expected the SHA-256 ${sha256}, got ${found}")
      elseif(name MATCHES "\\.tar\\.[a-z0-9]+$")
        _linked_neurons_run("${folder}" obstacle "${CMAKE_COMMAND}" -E tar xf "${file}")
        file(REMOVE "${file}")
      endif()
    endif()
    if(obstacle)
      set(${problem} "${url}: ${obstacle}" PARENT_SCOPE)
      return()
    endif()
  endwhile()
  # An archive's files lie in one folder of its own.
  file(GLOB inside "${folder}/*")
  if(IS_DIRECTORY "${inside}")
    file(RENAME "${inside}" "${folder}.inside")
    file(REMOVE_RECURSE "${folder}")
    file(RENAME "${folder}.inside" "${folder}")
  endif()
  set(${problem} "" PARENT_SCOPE)
endfunction()

# Fetches a dependency, unless an earlier run has, and sets `out` to its folder: that of a package,
# with usr/ in it, or that of an archive.
function(linked_neurons_fetch name out problem)
  get_property(package GLOBAL PROPERTY LINKED_NEURONS_${name}_DEBIAN)
  get_property(archives GLOBAL PROPERTY LINKED_NEURONS_${name}_ARCHIVE)
  string(SHA256 row "${package};${archives}")
  string(SUBSTRING "${row}" 0 8 row) # another row, another folder
  set(folder "${LINKED_NEURONS_FETCH_DIR}/${name}-${row}")
  set(part "${folder}.part")
  set(${out} "${folder}" PARENT_SCOPE)
  set(${problem} "" PARENT_SCOPE)
  file(MAKE_DIRECTORY "${LINKED_NEURONS_FETCH_DIR}")
  file(LOCK "${LINKED_NEURONS_FETCH_DIR}/lock" GUARD FUNCTION) # the presets share it
  if(EXISTS "${folder}")
    return()
  endif()

  message(STATUS "linked_neurons: fetching ${name}")
  file(REMOVE_RECURSE "${part}")
  file(MAKE_DIRECTORY "${part}")
  _linked_neurons_from_debian("${package}" "${part}/content" obstacle)
  if(obstacle)
    set(problems "\n  Debian's package ${package}: ${obstacle}")
    file(REMOVE_RECURSE "${part}")
    file(MAKE_DIRECTORY "${part}")
    _linked_neurons_from_archive("${archives}" "${part}/content" obstacle)
    if(obstacle)
      set(${problem} "${problems}\n  ${obstacle}" PARENT_SCOPE)
    endif()
  endif()
  if(NOT obstacle)
    file(RENAME "${part}/content" "${folder}")
  endif()
  file(REMOVE_RECURSE "${part}")
endfunction()

# linked_neurons_find_or_fetch(name [VERSION version] [OPTIONS (option value)...]): the targets of a
# CMake package. The options are for its own build, where an archive brought its sources.
function(linked_neurons_find_or_fetch name)
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "VERSION" "OPTIONS")
  linked_neurons_local_copy(${name} folder)
  if(NOT EXISTS "${folder}/CMakeLists.txt")
    find_package(${name} ${arg_VERSION} QUIET) # also in a local copy that is installed
    if(${name}_FOUND)
      return()
    elseif(folder)
      linked_neurons_missing(${name} "\n  ${folder} is no such copy, installed or unpacked")
    endif()
    linked_neurons_fetch(${name} folder problem)
    if(problem)
      linked_neurons_missing(${name} "${problem}")
    endif()
  endif()
  if(NOT EXISTS "${folder}/CMakeLists.txt")
    find_package(${name} REQUIRED CONFIG PATHS "${folder}/usr" NO_DEFAULT_PATH)
    return()
  endif()
  set(CMAKE_COMPILE_WARNING_AS_ERROR OFF)
  set(CMAKE_POLICY_VERSION_MINIMUM 3.5)  # CMake 4 refuses projects that ask for less
  set(CMAKE_POLICY_DEFAULT_CMP0077 NEW) # the options below are variables
  while(arg_OPTIONS)
    list(POP_FRONT arg_OPTIONS option value)
    set(${option} ${value})
  endwhile()
  add_subdirectory("${folder}" "${CMAKE_CURRENT_BINARY_DIR}/${name}" EXCLUDE_FROM_ALL SYSTEM)
endfunction()
