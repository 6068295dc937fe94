# cmake -D SOURCE=... -D BUILD=... [-D ...] -P consume.cmake: configures and builds a consumer in a
# fresh folder, runs its programs, and checks what was said and linked.
#   OPTIONS   for the configure step
#   SAYS      a regular expression that the configure step's output has to match
#   FAILS     set: the configure step has to fail; nothing is built
#   PROGRAMS  what is built and run, of the folder program/
#   LIBDIR    the one folder that LibTorch's libraries may be loaded from
file(REMOVE_RECURSE "${BUILD}")
execute_process(
  COMMAND ${CMAKE_COMMAND} -S "${SOURCE}" -B "${BUILD}" ${OPTIONS}
  OUTPUT_VARIABLE output ERROR_VARIABLE output RESULT_VARIABLE result)
message(STATUS "${output}")
string(REGEX REPLACE "[ \n]+" " " output "${output}") # messages are wrapped anywhere
if(FAILS AND result EQUAL 0)
  message(FATAL_ERROR "The configure step was to stop, and did not.")
elseif(NOT FAILS AND NOT result EQUAL 0)
  message(FATAL_ERROR "The configure step failed.")
endif()
if(NOT output MATCHES "${SAYS}")
  message(FATAL_ERROR "The configure step was to say '${SAYS}'.")
endif()
if(FAILS)
  return()
endif()

execute_process(COMMAND ${CMAKE_COMMAND} --build "${BUILD}" --target ${PROGRAMS} COMMAND_ERROR_IS_FATAL ANY)
foreach(program IN LISTS PROGRAMS)
  set(program "${BUILD}/program/${program}/${program}")
  execute_process(COMMAND "${program}" COMMAND_ERROR_IS_FATAL ANY)
  execute_process(COMMAND ldd "${program}" OUTPUT_VARIABLE loaded COMMAND_ERROR_IS_FATAL ANY)
  string(REGEX MATCHALL "lib(c10|torch)[^ ]* => [^ ]*" loaded "${loaded}")
  foreach(library IN LISTS loaded)
    string(REGEX REPLACE ".* => " "" library "${library}")
    file(REAL_PATH "${library}" library)
    cmake_path(GET library PARENT_PATH dir)
    if(NOT dir STREQUAL LIBDIR)
      message(FATAL_ERROR "${program} loads ${library}, which is not in ${LIBDIR}.")
    endif()
  endforeach()
endforeach()

# The layers are compiled in linked_neurons_layers, and in no file that gets them from the target.
file(GLOB_RECURSE objects "${BUILD}/main.cpp.o" "${BUILD}/network.cpp.o" "${BUILD}/layers.cpp.o")
set(compiled "")
foreach(object IN LISTS objects)
  execute_process(COMMAND nm "${object}" OUTPUT_VARIABLE symbols COMMAND_ERROR_IS_FATAL ANY)
  if(symbols MATCHES " [TW] [^\n]*detail6linkedI")
    list(APPEND compiled "${object}")
  endif()
endforeach()
if(NOT compiled MATCHES "^[^;]*layers.cpp.o$")
  message(FATAL_ERROR "The layers are compiled in: ${compiled}")
endif()
