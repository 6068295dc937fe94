# The target docs: the API reference from the headers' /// comments.
find_package(Doxygen QUIET)
if(DOXYGEN_FOUND)
  set(DOXYGEN_OUTPUT_DIRECTORY "${PROJECT_BINARY_DIR}/docs")
  set(DOXYGEN_STRIP_FROM_PATH "${PROJECT_SOURCE_DIR}/include")
  set(DOXYGEN_FILE_PATTERNS *.h)
  set(DOXYGEN_EXCLUDE_PATTERNS "*/cpu/*" "*/cuda/*" "*/detail/*" "*/kernel/*" "*/torch_ops/*") # how it works inside
  # LibTorch's macros, as a reader of the reference should see them.
  set(DOXYGEN_MACRO_EXPANSION YES)
  set(DOXYGEN_EXPAND_ONLY_PREDEF YES)
  set(DOXYGEN_PREDEFINED
      "LINKED_NEURONS_FN=" "TORCH_ARG(T, name)=T name"
      "TORCH_MODULE(Name)=using Name = torch::nn::ModuleHolder<Name##Impl>")
  # What the list of activations becomes.
  set(DOXYGEN_INCLUDE_PATH "${PROJECT_SOURCE_DIR}/include")
  set(DOXYGEN_EXPAND_AS_DEFINED
      LINKED_NEURONS_FOR_ALL_ACTIVATIONS LINKED_NEURONS_FUNCTION LINKED_NEURONS_MODULE
      LINKED_NEURONS_OPTIONS)
  # Undocumented members too: an activation's are documented once, with their contract.
  set(DOXYGEN_EXTRACT_ALL YES)
  set(DOXYGEN_EXCLUDE_SYMBOLS "*::detail*")
  set(DOXYGEN_WARN_AS_ERROR FAIL_ON_WARNINGS)
  set(DOXYGEN_QUIET YES)
  doxygen_add_docs(docs include COMMENT "Building the API reference in ${DOXYGEN_OUTPUT_DIRECTORY}")
endif()
