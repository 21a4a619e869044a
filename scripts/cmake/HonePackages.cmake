# Third-party packages, all from the distribution. Only .cpp files include their headers, so they are linked PRIVATE.
find_package(PkgConfig REQUIRED)
find_package(CapnProto REQUIRED)
find_package(fmt REQUIRED)
find_package(nlohmann_json QUIET)
find_package(Threads REQUIRED)
pkg_check_modules(ZMQ REQUIRED IMPORTED_TARGET libzmq)
pkg_check_modules(SODIUM REQUIRED IMPORTED_TARGET libsodium)
pkg_check_modules(SECCOMP REQUIRED IMPORTED_TARGET libseccomp)
if(HONE_RUNNER_ONLY)
  return()
endif()

find_package(LLVM 19.1 REQUIRED CONFIG)
find_package(GTest REQUIRED)
find_package(Protobuf REQUIRED)
find_package(HDF5 REQUIRED COMPONENTS C)
find_package(spdlog REQUIRED)
find_package(ZLIB REQUIRED)
find_package(JPEG REQUIRED)
find_package(PNG REQUIRED)
pkg_check_modules(ZSTD REQUIRED IMPORTED_TARGET libzstd)
include(GoogleTest)

add_library(hone_llvm_package INTERFACE)
target_include_directories(hone_llvm_package SYSTEM INTERFACE ${LLVM_INCLUDE_DIRS})
target_link_libraries(hone_llvm_package INTERFACE LLVM)

add_library(hone_lld_package INTERFACE)
target_include_directories(hone_lld_package SYSTEM INTERFACE ${LLVM_INCLUDE_DIRS})
target_link_libraries(hone_lld_package INTERFACE
  ${LLVM_LIBRARY_DIRS}/liblldELF.a ${LLVM_LIBRARY_DIRS}/liblldCommon.a LLVM ZLIB::ZLIB PkgConfig::ZSTD)

add_library(hone_hdf5_package INTERFACE)
target_include_directories(hone_hdf5_package SYSTEM INTERFACE ${HDF5_C_INCLUDE_DIRS})
target_link_libraries(hone_hdf5_package INTERFACE ${HDF5_C_LIBRARIES})

# Debian's xgboost-config.cmake names files that its package leaves out.
find_library(HONE_XGBOOST_LIBRARY xgboost REQUIRED)
add_library(hone_xgboost_package INTERFACE)
target_link_libraries(hone_xgboost_package INTERFACE ${HONE_XGBOOST_LIBRARY})
