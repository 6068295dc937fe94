# Fills a folder with the four files of Fashion-MNIST, unpacked and checked:
#
#   cmake -D OUTPUT_DIR=<folder> [-D LINKED_NEURONS_FETCH_DIR=<folder>] [-D LINKED_NEURONS_DATA_DIR=<folder>]
#         -P FashionMnist.cmake
#
# LINKED_NEURONS_DATA_DIR, also as an environment variable, names a folder that holds the files
# already, as they are or gzipped; then they come from there and nowhere else. Otherwise they stay
# where OUTPUT_DIR has them right (so a second run does nothing), or come from Debian's package
# where it is installed, or are fetched.
#
# A file is right if the SHA-256 of its unpacked content is. (The gzipped files of Debian and of the
# data set's own site hold the same compressed data under different headers, so their own sums
# differ.)
cmake_minimum_required(VERSION 3.25)
include("${CMAKE_CURRENT_LIST_DIR}/Dependencies.cmake")

set(debian_folder usr/share/datasets/fashion-mnist)
set(names
  train-images-idx3-ubyte train-labels-idx1-ubyte t10k-images-idx3-ubyte t10k-labels-idx1-ubyte)
set(size_train-images-idx3-ubyte 47040016)
set(size_train-labels-idx1-ubyte 60008)
set(size_t10k-images-idx3-ubyte 7840016)
set(size_t10k-labels-idx1-ubyte 10008)
set(sha256_train-images-idx3-ubyte
  c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888)
set(sha256_train-labels-idx1-ubyte
  bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9)
set(sha256_t10k-images-idx3-ubyte
  5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b)
set(sha256_t10k-labels-idx1-ubyte
  0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34)

# Every function below leaves in the variable ${problem} what stood in its way, or nothing.

# Whether the unpacked file `path` is the data set's `name`; messages call it `title`.
function(check_file path name title problem)
  file(SIZE ${path} size)
  file(SHA256 ${path} sha256)
  set(${problem} "" PARENT_SCOPE)
  if(NOT size EQUAL size_${name})
    set(${problem} "${title}: expected ${size_${name}} bytes (unpacked), got ${size}" PARENT_SCOPE)
  elseif(NOT sha256 STREQUAL sha256_${name})
    set(${problem} "${title}: expected the SHA-256 ${sha256_${name}} (unpacked), got ${sha256}"
      PARENT_SCOPE)
  endif()
endfunction()

# Python is among what a build of ours needs, and unpacks on every platform; the programs themselves
# then need no zlib.
function(gunzip from to problem)
  set(${problem} "" PARENT_SCOPE)
  find_program(PYTHON3 NAMES python3 python)
  if(NOT PYTHON3)
    set(${problem} "${from}: no python3 was found to unpack it" PARENT_SCOPE)
    return()
  endif()
  execute_process(
    COMMAND ${PYTHON3} -c
      "import gzip, shutil, sys; shutil.copyfileobj(gzip.open(sys.argv[1]), open(sys.argv[2], 'wb'))"
      ${from} ${to}
    RESULT_VARIABLE result OUTPUT_QUIET ERROR_VARIABLE error TIMEOUT 120)
  if(NOT result EQUAL 0)
    # The last line of a traceback is the message.
    string(STRIP "${error}" error)
    string(REGEX REPLACE ".*\n" "" error "${error}")
    set(${problem} "${from}: cannot be unpacked (${result}): ${error}" PARENT_SCOPE)
  endif()
endfunction()

# Takes the four files from `folder`, as they are or gzipped, to OUTPUT_DIR.
function(take_from folder problem)
  set(${problem} "" PARENT_SCOPE)
  if(NOT IS_DIRECTORY ${folder})
    set(${problem} "${folder}: no such folder" PARENT_SCOPE)
    return()
  endif()
  foreach(name IN LISTS names)
    set(obstacle "")
    set(target ${OUTPUT_DIR}/${name})
    # Under another name until it is known to be right: an interrupted run leaves nothing wrong.
    set(part ${target}.part)
    if(EXISTS ${folder}/${name})
      set(source ${folder}/${name})
      file(COPY_FILE ${source} ${part} RESULT result)
      if(NOT result EQUAL 0)
        set(obstacle "${source}: cannot be copied to ${part}: ${result}")
      endif()
    elseif(EXISTS ${folder}/${name}.gz)
      set(source ${folder}/${name}.gz)
      gunzip(${source} ${part} obstacle)
    else()
      set(obstacle "${folder}: holds neither ${name} nor ${name}.gz")
    endif()
    if(NOT obstacle)
      check_file(${part} ${name} ${source} obstacle)
    endif()
    if(obstacle)
      file(REMOVE ${part})
      set(${problem} "${obstacle}" PARENT_SCOPE)
      return()
    endif()
    file(RENAME ${part} ${target})
  endforeach()
endfunction()

# Whether OUTPUT_DIR has them already.
function(check_output problem)
  set(${problem} "" PARENT_SCOPE)
  foreach(name IN LISTS names)
    set(obstacle "${OUTPUT_DIR}: does not hold ${name} yet")
    if(EXISTS ${OUTPUT_DIR}/${name})
      check_file(${OUTPUT_DIR}/${name} ${name} ${OUTPUT_DIR}/${name} obstacle)
      if(obstacle)
        message(STATUS "Fashion-MNIST: ${obstacle}; getting it anew")
      endif()
    endif()
    if(obstacle)
      set(${problem} "${obstacle}" PARENT_SCOPE)
      return()
    endif()
  endforeach()
endfunction()

if(NOT OUTPUT_DIR)
  message(FATAL_ERROR "Fashion-MNIST: say where to, with -D OUTPUT_DIR=<folder>")
endif()
file(REAL_PATH ${OUTPUT_DIR} OUTPUT_DIR)
file(MAKE_DIRECTORY ${OUTPUT_DIR})
if(NOT LINKED_NEURONS_FETCH_DIR)
  set(LINKED_NEURONS_FETCH_DIR ${OUTPUT_DIR}/fetched)
endif()

linked_neurons_local_copy(FashionMnist folder)
if(folder)
  file(REAL_PATH ${folder} folder)
  take_from(${folder} problem)
  if(problem)
    message(FATAL_ERROR "Fashion-MNIST, from LINKED_NEURONS_DATA_DIR: ${problem}")
  endif()
  message(STATUS "Fashion-MNIST: taken from ${folder}, in ${OUTPUT_DIR}")
  return()
endif()

check_output(problem)
if(problem)
  take_from(/${debian_folder} problem)
endif()
if(problem)
  linked_neurons_fetch(FashionMnist folder problem)
  if(NOT problem)
    if(IS_DIRECTORY ${folder}/${debian_folder})
      string(APPEND folder /${debian_folder})
    endif()
    take_from(${folder} problem)
    if(problem)
      set(problem "\n  ${problem}")
    endif()
  endif()
endif()
if(problem)
  linked_neurons_missing(FashionMnist "${problem}")
endif()
message(STATUS "Fashion-MNIST: in ${OUTPUT_DIR}")
