# Sets ARTICLE_GLOO_INCLUDE_DIR: Gloo's headers, which LibTorch's own include and its wheel does not
# have.
linked_neurons_local_copy(Gloo gloo)
find_path(ARTICLE_GLOO_INCLUDE_DIR gloo/algorithm.h
          HINTS "${gloo}" "${gloo}/include" "${torch}/include")
if(NOT ARTICLE_GLOO_INCLUDE_DIR)
  linked_neurons_fetch(Gloo gloo problem)
  if(problem)
    linked_neurons_missing(Gloo "${problem}")
  endif()
  find_path(ARTICLE_GLOO_INCLUDE_DIR gloo/algorithm.h PATHS "${gloo}/usr/include" "${gloo}" NO_DEFAULT_PATH)
endif()
# Sources that nobody has configured.
set(config "${ARTICLE_GLOO_INCLUDE_DIR}/gloo/config.h")
if(NOT EXISTS "${config}")
  set(GLOO_VERSION_MAJOR 0)
  set(GLOO_VERSION_MINOR 5)
  set(GLOO_VERSION_PATCH 0)
  set(GLOO_HAVE_TRANSPORT_TCP ON)
  configure_file("${config}.in" "${config}")
endif()
