# hanaper_add_plugin(KIND NAME SOURCES ... [LIBRARIES ...])
#
# Builds <kind>-<name>.so the way the host's loader wants it: two exported symbols, nothing unresolved, bound at
# load, never unloaded. `cmake --install` puts it where hanaperd of the same prefix looks. Works the same inside this
# tree and from an installed HanaperSDK package.

function(hanaper_add_plugin kind name)
  cmake_parse_arguments(PLUGIN "" "" "SOURCES;LIBRARIES" ${ARGN})
  set(target ${kind}-${name})
  add_library(${target} MODULE ${PLUGIN_SOURCES})
  set_target_properties(${target} PROPERTIES
    PREFIX "" SUFFIX ".so"
    CXX_STANDARD 20 CXX_STANDARD_REQUIRED ON CXX_EXTENSIONS OFF
    CXX_VISIBILITY_PRESET hidden VISIBILITY_INLINES_HIDDEN ON POSITION_INDEPENDENT_CODE ON
    LINK_DEPENDS ${CMAKE_CURRENT_FUNCTION_LIST_DIR}/plugin.version)
  if(DEFINED HANAPER_PLUGIN_DIRECTORY)
    set_target_properties(${target} PROPERTIES LIBRARY_OUTPUT_DIRECTORY ${HANAPER_PLUGIN_DIRECTORY})
    set_property(GLOBAL APPEND PROPERTY HANAPER_PLUGIN_TARGETS ${target})
  endif()
  target_link_libraries(${target} PRIVATE HanaperSDK::toolkit ${PLUGIN_LIBRARIES})
  target_link_options(${target} PRIVATE
    -Wl,--version-script=${CMAKE_CURRENT_FUNCTION_LIST_DIR}/plugin.version -Wl,-z,nodelete -Wl,-z,now -Wl,--exclude-libs,ALL
    -Wl,--gc-sections)
  target_compile_options(${target} PRIVATE -ffunction-sections -fdata-sections)
  if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
    target_compile_options(${target} PRIVATE -fno-gnu-unique)
    target_link_options(${target} PRIVATE -Wl,-z,defs)
  endif()
  # Not CMAKE_INSTALL_LIBDIR: the programs look beside themselves, in ../lib, whatever the machine calls its own.
  install(TARGETS ${target} LIBRARY DESTINATION lib/hanaper/plugins)
endfunction()

# hanaper_test_plugin(KIND NAME [KEY=VALUE...] [--gtest_filter=...])
#
# A test "kit.<kind>-<name>" that runs the conformance kit on the plugin with those settings. "{folder}" in a value is a
# fresh folder for each test.
function(hanaper_test_plugin kind name)
  if(NOT TARGET HanaperSDK::kit)
    message(WARNING "this HanaperSDK was built without googletest and has no kit: ${kind}-${name} is not tested")
    return()
  endif()
  add_test(NAME kit.${kind}-${name} COMMAND HanaperSDK::kit $<TARGET_FILE:${kind}-${name}> ${ARGN})
endfunction()
