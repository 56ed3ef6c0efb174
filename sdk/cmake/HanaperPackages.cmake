# Debian packages: `cpack -G DEB` in the build folder makes hanaper (programs, plugins, unit, configuration) and
# hanaper-dev (SDK, kit). Included last, because CPack takes what is known by then.

# Only in packages: they own /etc and know the paths that the unit names. EXCLUDE_FROM_ALL keeps `cmake --install` out.
set(from ${PROJECT_SOURCE_DIR}/config)
install(FILES ${from}/hanaper.toml DESTINATION /etc/hanaper COMPONENT system EXCLUDE_FROM_ALL)
install(FILES ${from}/systemd/hanaper.service DESTINATION lib/systemd/system COMPONENT system EXCLUDE_FROM_ALL)
install(FILES ${from}/systemd/sysusers.conf DESTINATION lib/sysusers.d RENAME hanaper.conf COMPONENT system EXCLUDE_FROM_ALL)
install(FILES ${from}/systemd/tmpfiles.conf DESTINATION lib/tmpfiles.d RENAME hanaper.conf COMPONENT system EXCLUDE_FROM_ALL)
install(FILES ${PROJECT_SOURCE_DIR}/LICENSE DESTINATION share/doc/hanaper RENAME copyright COMPONENT system EXCLUDE_FROM_ALL)
install(FILES ${PROJECT_SOURCE_DIR}/LICENSE DESTINATION share/doc/hanaper-dev RENAME copyright COMPONENT documents EXCLUDE_FROM_ALL)

# Every page, where it stands in the tree, so that its links lead somewhere; and what the pages name.
foreach(pages "*.md" host/*.md plugins/*.md examples/*.md sdk/*.md tests/*.md config/*.toml config/monitoring/*)
  get_filename_component(folder ${pages} DIRECTORY)
  if(folder STREQUAL "" OR folder MATCHES "^config")
    file(GLOB found RELATIVE ${PROJECT_SOURCE_DIR} CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/${pages})
  else()
    file(GLOB_RECURSE found RELATIVE ${PROJECT_SOURCE_DIR} CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/${pages})
  endif()
  foreach(page ${found})
    get_filename_component(folder ${page} DIRECTORY)
    install(FILES ${page} DESTINATION share/doc/hanaper/${folder})
  endforeach()
endforeach()
foreach(named host/events/catalogue.json host/operations/openapi.json)
  get_filename_component(folder ${named} DIRECTORY)
  install(FILES ${named} DESTINATION share/doc/hanaper/${folder})
endforeach()

set(CPACK_GENERATOR DEB)
set(CPACK_PACKAGE_VENDOR "the hanaper authors")
set(CPACK_PACKAGE_CONTACT "the hanaper authors <hanaper@example.test>")
set(CPACK_SET_DESTDIR ON)  # because of /etc
set(CPACK_INSTALL_PREFIX /usr)
set(CPACK_STRIP_FILES ON)
set(CPACK_INSTALL_DEFAULT_DIRECTORY_PERMISSIONS OWNER_READ OWNER_WRITE OWNER_EXECUTE GROUP_READ GROUP_EXECUTE WORLD_READ WORLD_EXECUTE)
set(CPACK_COMPONENTS_ALL programs system sdk documents)
set(CPACK_COMPONENTS_GROUPING ONE_PER_GROUP)
set(CPACK_COMPONENT_PROGRAMS_GROUP hanaper)
set(CPACK_COMPONENT_SYSTEM_GROUP hanaper)
set(CPACK_COMPONENT_SDK_GROUP hanaper-dev)
set(CPACK_COMPONENT_DOCUMENTS_GROUP hanaper-dev)
set(CPACK_DEB_COMPONENT_INSTALL ON)
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_CONTROL_STRICT_PERMISSION ON)

set(CPACK_DEBIAN_HANAPER_PACKAGE_NAME hanaper)
set(CPACK_DEBIAN_HANAPER_PACKAGE_SECTION net)
set(CPACK_DEBIAN_HANAPER_PACKAGE_SHLIBDEPS ON)
set(CPACK_DEBIAN_HANAPER_PACKAGE_DEPENDS "systemd | systemd-sysusers, systemd | systemd-tmpfiles")
set(CPACK_DEBIAN_HANAPER_PACKAGE_CONTROL_EXTRA
  ${from}/debian/conffiles ${from}/debian/postinst ${from}/debian/prerm ${from}/debian/postrm)
set(CPACK_DEBIAN_HANAPER_DESCRIPTION "Issues certificates over ACME and whatever else its plugins speak, from one
configuration file: a daemon, a command line, and plugins for protocols,
storage, keys and policies.")

set(CPACK_DEBIAN_HANAPER-DEV_PACKAGE_NAME hanaper-dev)
set(CPACK_DEBIAN_HANAPER-DEV_PACKAGE_SECTION libdevel)
set(CPACK_DEBIAN_HANAPER-DEV_PACKAGE_SHLIBDEPS ON)
set(CPACK_DEBIAN_HANAPER-DEV_PACKAGE_DEPENDS "hanaper (= ${PROJECT_VERSION}), libssl-dev (>= 3.0)")
set(CPACK_DEBIAN_HANAPER-DEV_PACKAGE_RECOMMENDS "cmake (>= 3.25), g++")
set(CPACK_DEBIAN_HANAPER-DEV_DESCRIPTION "Headers of the plugin boundary, the toolkit as a static library, fakes to
test against, the conformance kit, and the CMake package HanaperSDK.")
include(CPack)
