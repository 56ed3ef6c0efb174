# SOCI as Debian ships it has neither a CMake package nor a .pc file. Defines SOCI::core and, where found,
# SOCI::sqlite3, SOCI::mysql and SOCI::postgresql.
find_package(SOCI CONFIG QUIET)
if(TARGET SOCI::soci_core)
  add_library(SOCI::core ALIAS SOCI::soci_core)
  foreach(backend sqlite3 mysql postgresql)
    if(TARGET SOCI::soci_${backend})
      add_library(SOCI::${backend} ALIAS SOCI::soci_${backend})
    endif()
  endforeach()
  set(SOCI_FOUND TRUE)
  return()
endif()

find_path(SOCI_INCLUDE_DIR soci/soci.h)
find_library(SOCI_core_LIBRARY soci_core)
include(FindPackageHandleStandardArgs)
find_package_handle_standard_args(SOCI REQUIRED_VARS SOCI_core_LIBRARY SOCI_INCLUDE_DIR)

if(SOCI_FOUND AND NOT TARGET SOCI::core)
  add_library(SOCI::core UNKNOWN IMPORTED)
  set_target_properties(SOCI::core PROPERTIES IMPORTED_LOCATION ${SOCI_core_LIBRARY}
                                              INTERFACE_INCLUDE_DIRECTORIES ${SOCI_INCLUDE_DIR})
  foreach(backend sqlite3 mysql postgresql)
    find_library(SOCI_${backend}_LIBRARY soci_${backend})
    if(SOCI_${backend}_LIBRARY)
      add_library(SOCI::${backend} UNKNOWN IMPORTED)
      set_target_properties(SOCI::${backend} PROPERTIES IMPORTED_LOCATION ${SOCI_${backend}_LIBRARY}
                                                        INTERFACE_LINK_LIBRARIES SOCI::core)
    endif()
  endforeach()
endif()
mark_as_advanced(SOCI_INCLUDE_DIR SOCI_core_LIBRARY SOCI_sqlite3_LIBRARY SOCI_mysql_LIBRARY SOCI_postgresql_LIBRARY)
