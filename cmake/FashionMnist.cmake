# Fills a folder with the four files of Fashion-MNIST, unpacked and checked:
#
#   cmake -D OUTPUT_DIR=<folder> [-D LINKED_NEURONS_DATA_DIR=<folder>] -P FashionMnist.cmake
#
# LINKED_NEURONS_DATA_DIR, also as an environment variable, names a folder that holds the files
# already, as they are or gzipped; then they come from there and nowhere else. Otherwise the first
# of these that has them, and has them right, gives them: OUTPUT_DIR itself (so a second run does
# nothing), Debian's package dataset-fashion-mnist where it is installed, the same package fetched
# and unpacked beside (which needs no root), the data set's own mirror.
#
# A file is right if the SHA-256 of its unpacked content is. (The gzipped files of Debian and of
# the mirror hold the same compressed data under different headers, so their own sums differ.)

cmake_minimum_required(VERSION 3.25)

set(debian_package dataset-fashion-mnist)
set(debian_folder /usr/share/datasets/fashion-mnist)
if(NOT DEFINED MIRROR)
  # https://github.com/zalandoresearch/fashion-mnist, README.md, "Get the Data"
  set(MIRROR http://fashion-mnist.s3-website.eu-central-1.amazonaws.com)
endif()

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

# Python is among what a build of ours needs, and unpacks on every platform; the program itself
# then needs no zlib.
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

# The sources, in the order in which they are tried.

function(take_from_output problem)
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

function(take_from_debian problem)
  take_from(${debian_folder} obstacle)
  set(${problem} "${obstacle}" PARENT_SCOPE)
endfunction()

function(take_from_apt problem)
  find_program(APT_GET apt-get)
  find_program(DPKG_DEB dpkg-deb)
  if(NOT APT_GET OR NOT DPKG_DEB)
    set(${problem} "Debian's package ${debian_package}: no apt-get and dpkg-deb here" PARENT_SCOPE)
    return()
  endif()
  message(STATUS "Fashion-MNIST: fetching Debian's package ${debian_package} (31 MB)")
  set(download ${APT_GET} download ${debian_package})
  set(quietly WORKING_DIRECTORY ${work} OUTPUT_QUIET ERROR_VARIABLE error RESULT_VARIABLE result)
  execute_process(COMMAND ${download} ${quietly})
  if(NOT result EQUAL 0)
    # A fresh container has no package lists, and renewing the system's takes root: keep our own.
    set(own_lists -o Dir::State::Lists=${work}/lists)
    file(MAKE_DIRECTORY ${work}/lists/partial)
    execute_process(COMMAND ${APT_GET} ${own_lists} update ${quietly})
    if(result EQUAL 0)
      execute_process(COMMAND ${download} ${own_lists} ${quietly})
    endif()
  endif()
  file(GLOB package ${work}/${debian_package}_*.deb)
  if(result EQUAL 0 AND package)
    execute_process(COMMAND ${DPKG_DEB} --extract ${package} ${work} ${quietly})
  endif()
  if(result EQUAL 0)
    take_from(${work}${debian_folder} obstacle)
  else()
    string(STRIP "${error}" error)
    set(obstacle "Debian's package ${debian_package}: apt-get or dpkg-deb failed (${result}) ${error}")
  endif()
  set(${problem} "${obstacle}" PARENT_SCOPE)
endfunction()

function(take_from_mirror problem)
  message(STATUS "Fashion-MNIST: fetching from ${MIRROR} (31 MB)")
  foreach(name IN LISTS names)
    set(url ${MIRROR}/${name}.gz)
    file(DOWNLOAD ${url} ${work}/${name}.gz STATUS status INACTIVITY_TIMEOUT 60)
    list(POP_FRONT status code)
    if(NOT code EQUAL 0)
      set(${problem} "${url}: ${status}" PARENT_SCOPE)
      return()
    endif()
  endforeach()
  take_from(${work} obstacle)
  set(${problem} "${obstacle}" PARENT_SCOPE)
endfunction()

if(NOT OUTPUT_DIR)
  message(FATAL_ERROR "Fashion-MNIST: say where to, with -D OUTPUT_DIR=<folder>")
endif()
file(REAL_PATH ${OUTPUT_DIR} OUTPUT_DIR)
file(MAKE_DIRECTORY ${OUTPUT_DIR})
if(NOT LINKED_NEURONS_DATA_DIR)
  set(LINKED_NEURONS_DATA_DIR "$ENV{LINKED_NEURONS_DATA_DIR}")
endif()

if(LINKED_NEURONS_DATA_DIR)
  file(REAL_PATH ${LINKED_NEURONS_DATA_DIR} folder)
  take_from(${folder} problem)
  if(problem)
    message(FATAL_ERROR "Fashion-MNIST, from LINKED_NEURONS_DATA_DIR: ${problem}")
  endif()
  message(STATUS "Fashion-MNIST: taken from ${folder}, in ${OUTPUT_DIR}")
  return()
endif()

set(work ${OUTPUT_DIR}/fetched)
set(problems "")
foreach(source output debian apt mirror)
  file(REMOVE_RECURSE ${work})
  if(source MATCHES "apt|mirror")
    file(MAKE_DIRECTORY ${work})
  endif()
  cmake_language(CALL take_from_${source} problem)
  if(NOT problem)
    file(REMOVE_RECURSE ${work})
    message(STATUS "Fashion-MNIST: in ${OUTPUT_DIR}")
    return()
  endif()
  string(APPEND problems "\n  ${problem}")
endforeach()
file(REMOVE_RECURSE ${work})
message(FATAL_ERROR
  "Fashion-MNIST could be had from nowhere:${problems}\n"
  "Name a folder with its four files in the environment variable LINKED_NEURONS_DATA_DIR, or "
  "install Debian's package ${debian_package}.")
