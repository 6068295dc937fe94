# What our tests, benchmarks and examples use besides LibTorch and Python's packages
# (LinkedNeuronsPyPI.cmake): one row each, for Fetch.cmake to get. Not installed: a user's build
# fetches nothing.
#
#   DEBIAN   the package of Debian and Ubuntu
#   LOCAL    the variable, in CMake or in the environment, that names a local copy
#   ARCHIVE  else: each file's address and SHA-256
include_guard(GLOBAL)
include("${CMAKE_CURRENT_LIST_DIR}/Fetch.cmake")

linked_neurons_dependency(GTest
  DEBIAN libgtest-dev LOCAL GTest_ROOT
  ARCHIVE https://github.com/google/googletest/archive/refs/tags/v1.14.0.tar.gz
          8ad598c73ad796e0d8280b082cebd82a630d73e73cd3c70057938a6501bba5d7)
linked_neurons_dependency(benchmark
  DEBIAN libbenchmark-dev LOCAL benchmark_ROOT
  ARCHIVE https://github.com/google/benchmark/archive/refs/tags/v1.8.3.tar.gz
          6bc180a57d23d4d9515519f92b0c83d61b05b5bab188961f36ac7b06b0d9e9ce)
linked_neurons_dependency(CLI11
  DEBIAN libcli11-dev LOCAL CLI11_ROOT
  ARCHIVE https://github.com/CLIUtils/CLI11/archive/refs/tags/v2.1.2.tar.gz
          26291377e892ba0e5b4972cdfd4a2ab3bf53af8dac1f4ea8fe0d1376b625c8cb)
linked_neurons_dependency(nlohmann_json
  DEBIAN nlohmann-json3-dev LOCAL nlohmann_json_ROOT
  ARCHIVE https://github.com/nlohmann/json/archive/refs/tags/v3.11.2.tar.gz
          d69f9deb6a75e2580465c6c4c5111b89c4dc2fa94e3a85fcd2ffcd9a143d9273)
# Headers alone: LibTorch has the library inside.
linked_neurons_dependency(Gloo
  DEBIAN libgloo-dev LOCAL Gloo_ROOT
  ARCHIVE https://github.com/facebookincubator/gloo/archive/5354032ea08eadd7fc4456477f7f7c6308818509.tar.gz
          5759a06e6c8863c58e8ceadeb56f7c701fec89b2559ba33a103a447207bf69c7)
set(images https://github.com/zalandoresearch/fashion-mnist/raw/b2617bb6d3ffa2e429640350f613e3291e10b141/data/fashion)
linked_neurons_dependency(FashionMnist
  DEBIAN dataset-fashion-mnist LOCAL LINKED_NEURONS_DATA_DIR
  ARCHIVE ${images}/train-images-idx3-ubyte.gz
          3aede38d61863908ad78613f6a32ed271626dd12800ba2636569512369268a84
          ${images}/train-labels-idx1-ubyte.gz
          a04f17134ac03560a47e3764e11b92fc97de4d1bfaf8ba1a3aa29af54cc90845
          ${images}/t10k-images-idx3-ubyte.gz
          346e55b948d973a97e58d2351dde16a484bd415d4595297633bb08f03db6a073
          ${images}/t10k-labels-idx1-ubyte.gz
          67da17c76eaffca5446c3361aaab5c3cd6d1c2608764d35dfb1850b086bf8dd5)
unset(images)
