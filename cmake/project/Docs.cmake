# The target docs: the site, by Sphinx, from docs/ and the headers' /// comments, which Doxygen reads.
# Sets LINKED_NEURONS_NO_DOCS to the reason why there is no such target, or to nothing, and
# LINKED_NEURONS_SITE to the folder of its pages.
find_package(Doxygen QUIET)
set(LINKED_NEURONS_NO_DOCS "")
if(NOT DOXYGEN_FOUND)
  set(LINKED_NEURONS_NO_DOCS "no Doxygen (Debian: doxygen)")
elseif(LINKED_NEURONS_PYPI STREQUAL "OFF")
  set(LINKED_NEURONS_NO_DOCS "LINKED_NEURONS_PYPI is OFF, so there is no Sphinx")
endif()
if(LINKED_NEURONS_NO_DOCS)
  message(STATUS "linked_neurons: the target docs is left out: ${LINKED_NEURONS_NO_DOCS}")
  return()
endif()

set(DOXYGEN_OUTPUT_DIRECTORY "${PROJECT_BINARY_DIR}/docs")
set(DOXYGEN_GENERATE_HTML NO)
set(DOXYGEN_GENERATE_XML YES)
set(DOXYGEN_XML_PROGRAMLISTING NO)
set(DOXYGEN_HAVE_DOT NO)
set(DOXYGEN_STRIP_FROM_PATH "${PROJECT_SOURCE_DIR}/include")
set(DOXYGEN_STRIP_FROM_INC_PATH "${PROJECT_SOURCE_DIR}/include")
set(DOXYGEN_FILE_PATTERNS *.h)
set(DOXYGEN_EXCLUDE_PATTERNS "*/cpu/*" "*/cuda/*" "*/detail/*" "*/kernel/*" "*/torch_ops/*") # how it works inside
# The macros that declare members, as a reader of the reference should see them.
set(DOXYGEN_MACRO_EXPANSION YES)
set(DOXYGEN_EXPAND_ONLY_PREDEF YES)
set(DOXYGEN_PREDEFINED
    "LINKED_NEURONS_FN=" "TORCH_ARG(T, name)=T name" "LINKED_NEURONS_OPTION(T, name)=public: T name"
    "TORCH_MODULE(Name)=using Name = torch::nn::ModuleHolder<Name##Impl>")
# What the lists of activations become.
set(DOXYGEN_INCLUDE_PATH "${PROJECT_SOURCE_DIR}/include")
set(DOXYGEN_EXPAND_AS_DEFINED
    LINKED_NEURONS_FOR_ALL_ACTIVATIONS LINKED_NEURONS_FUNCTION LINKED_NEURONS_MODULE
    LINKED_NEURONS_OPTIONS LINKED_NEURONS_FOR_OPTIONAL_ACTIVATIONS LINKED_NEURONS_OPTIONAL
    LINKED_NEURONS_NUMBER)
# Undocumented members too: an activation's are documented once, with their contract.
set(DOXYGEN_EXTRACT_ALL YES)
# A struct of options has what its bases have, which are not shown.
set(DOXYGEN_INLINE_INHERITED_MEMB YES)
set(DOXYGEN_WARN_AS_ERROR FAIL_ON_WARNINGS)
set(DOXYGEN_QUIET YES)
doxygen_add_docs(docs_comments include COMMENT "Reading the headers' comments")

set(LINKED_NEURONS_SITE "${DOXYGEN_OUTPUT_DIRECTORY}/html")
add_custom_target(docs
  COMMAND ${CMAKE_COMMAND} -D "LINKED_NEURONS_PYPI_DIR=${LINKED_NEURONS_PYPI_DIR}"
          -P "${PROJECT_SOURCE_DIR}/cmake/project/PyPI.cmake"
  COMMAND ${CMAKE_COMMAND} -E env PYTHONDONTWRITEBYTECODE=1
          "${LINKED_NEURONS_PYPI_DIR}/docs/bin/sphinx-build" -W --keep-going -q -b html
          -d "${DOXYGEN_OUTPUT_DIRECTORY}/doctrees" -D "release=${PROJECT_VERSION}"
          -D "breathe_projects.linked_neurons=${DOXYGEN_OUTPUT_DIRECTORY}/xml"
          "${PROJECT_SOURCE_DIR}/docs" "${LINKED_NEURONS_SITE}"
  COMMENT "Building the site in ${LINKED_NEURONS_SITE}"
  VERBATIM)
add_dependencies(docs docs_comments)
