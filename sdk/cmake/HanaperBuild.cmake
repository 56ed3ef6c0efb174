# How everything in this tree is compiled: language, warnings, sanitizers, where results go.

set(CMAKE_CXX_STANDARD 20)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
set(CMAKE_CXX_VISIBILITY_PRESET hidden)
set(CMAKE_VISIBILITY_INLINES_HIDDEN ON)
cmake_policy(SET CMP0083 NEW)
include(CheckPIESupported)
check_pie_supported()

set(CMAKE_RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/bin)
set(CMAKE_ARCHIVE_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/lib)
set(HANAPER_PLUGIN_DIRECTORY ${CMAKE_BINARY_DIR}/lib/hanaper/plugins)

if(NOT CMAKE_BUILD_TYPE)
  set(CMAKE_BUILD_TYPE Release)
endif()
set(CMAKE_CXX_FLAGS_RELEASE "-O2 -g1")
set(CMAKE_CXX_FLAGS_DEBUG "-O1 -g1 -DHANAPER_DEBUG")
set(CMAKE_CXX_FLAGS_FAST "-O0 -DHANAPER_DEBUG")  # to compile, not to run

option(HANAPER_WERROR "Treat warnings as errors" OFF)
set(HANAPER_SANITIZER "" CACHE STRING "address (with undefined), thread, fuzz (address and undefined under libFuzzer), or empty")
option(HANAPER_COVERAGE "Count which lines are run (clang only)" OFF)

add_library(hanaper_flags INTERFACE)
target_compile_options(hanaper_flags INTERFACE -Wall -Wextra -Wpedantic -Wnon-virtual-dtor -Wold-style-cast)
# g++ 12 suspects every moved std::optional of strings.
target_compile_options(hanaper_flags INTERFACE $<$<CXX_COMPILER_ID:GNU>:-Wno-maybe-uninitialized>)
# libstdc++ 12 deprecates what its own std::stable_sort uses, and clang tells us. Clang also says who holds which mutex
# (sdk/include/hanaper/toolkit/mutex.hpp).
target_compile_options(hanaper_flags INTERFACE $<$<CXX_COMPILER_ID:Clang>:-Wno-deprecated-declarations;-Wthread-safety;-Wthread-safety-beta>)
if(CMAKE_UNITY_BUILD)
  # Files compiled together see each other's unnamed namespaces, which those two mind.
  target_compile_options(hanaper_flags INTERFACE $<$<CXX_COMPILER_ID:GNU>:-Wshadow=local -Wno-subobject-linkage>)
else()
  target_compile_options(hanaper_flags INTERFACE -Wshadow)
endif()
if(HANAPER_WERROR)
  target_compile_options(hanaper_flags INTERFACE -Werror)
endif()

if(HANAPER_SANITIZER STREQUAL "address")
  # Without vptr: it wants type information that SOCI does not export. Without optimisation, like thread: it is compiled more
  # often than run.
  add_compile_options(-O0 -fsanitize=address,undefined -fno-sanitize=vptr -fno-sanitize-recover=undefined -fno-omit-frame-pointer)
  add_link_options(-fsanitize=address,undefined)
elseif(HANAPER_SANITIZER STREQUAL "fuzz")
  add_compile_options(-fsanitize=address,undefined,fuzzer-no-link -fno-sanitize=vptr,function -fno-sanitize-recover=undefined)
  add_link_options(-fsanitize=address,undefined)
elseif(HANAPER_SANITIZER STREQUAL "thread")
  add_compile_options(-O0 -fsanitize=thread -fno-omit-frame-pointer)
  # Asio's fences are nothing that this sanitizer can follow; its mutexes order what has to be ordered.
  add_compile_definitions(BOOST_ASIO_DISABLE_FENCED_BLOCK)
  add_link_options(-fsanitize=thread)
else()
  add_compile_options(-fstack-protector-strong)
  if(CMAKE_SYSTEM_PROCESSOR MATCHES "x86_64|AMD64")
    add_compile_options(-fcf-protection)
  endif()
  if(CMAKE_BUILD_TYPE STREQUAL "Release")
    # An index out of bounds and a variable without a value end in a stop or in zeros, never in somebody else's data.
    add_compile_definitions(_FORTIFY_SOURCE=2 _GLIBCXX_ASSERTIONS)
    add_compile_options($<$<CXX_COMPILER_ID:GNU>:-ftrivial-auto-var-init=zero>)
  endif()
endif()
add_link_options(-Wl,-z,relro,-z,now)
if(HANAPER_COVERAGE)
  add_compile_options(-fprofile-instr-generate=${CMAKE_BINARY_DIR}/profiles/%m.profraw -fcoverage-mapping)
  add_link_options(-fprofile-instr-generate)
endif()

find_program(CCACHE ccache)
if(CCACHE AND NOT CMAKE_CXX_COMPILER_LAUNCHER)
  set(CMAKE_CXX_COMPILER_LAUNCHER ${CCACHE})
endif()

# The few files that take Beast and a gigabyte to compile go one at a time: hanaper_heavy(target).
set_property(GLOBAL APPEND PROPERTY JOB_POOLS heavy=1)
function(hanaper_heavy target)
  set_property(TARGET ${target} PROPERTY JOB_POOL_COMPILE heavy)
endfunction()
