# The bill of materials: SPDX 2.3 in JSON, of what find_package found. The same tree on the same machine gives the same octets.
#
# What is linked, by Debian's name of its development package. A version that CMake has not learnt is the package's.
set(sbom_packages
  "OpenSSL|Apache-2.0|${OPENSSL_VERSION}|libssl-dev"
  "Boost|BSL-1.0|${Boost_VERSION_STRING}|libboost${Boost_VERSION_MAJOR}.${Boost_VERSION_MINOR}-dev"
  "toml++|MIT|${tomlplusplus_VERSION}|libtomlplusplus-dev"
  "spdlog|MIT|${spdlog_VERSION}|libspdlog-dev"
  "fmt|MIT|${fmt_VERSION}|libfmt-dev"
  "SOCI|BSL-1.0||libsoci-dev"
  "SQLite|blessing|${SQLITE_VERSION}|libsqlite3-dev"
  "MariaDB Connector-C|LGPL-2.1-or-later|${MARIADB_VERSION}|libmariadb-dev"
  "libpq|PostgreSQL|${POSTGRESQL_VERSION}|libpq-dev"
  "libp11|LGPL-2.1-or-later|${LIBP11_VERSION}|libp11-dev"
  "p11-kit|BSD-3-Clause|${P11KIT_VERSION}|libp11-kit-dev"
  "libunbound|BSD-3-Clause||libunbound-dev"
  "curl|curl|${CURL_VERSION}|libcurl4-openssl-dev"
  "OpenLDAP|OLDAP-2.8|${LDAP_VERSION}|libldap-dev"
  "libxcrypt|LGPL-2.1-or-later||libcrypt-dev"
  "libstdc++|GPL-3.0-or-later WITH GCC-exception-3.1|${CMAKE_CXX_COMPILER_VERSION}|"
)

# When it was made: the commit, where there is one, or what SOURCE_DATE_EPOCH says.
if(NOT DEFINED ENV{SOURCE_DATE_EPOCH})
  execute_process(COMMAND git -C ${PROJECT_SOURCE_DIR} log -1 --format=%ct OUTPUT_VARIABLE committed
                  OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET RESULT_VARIABLE failed)
  if(failed EQUAL 0)
    set(ENV{SOURCE_DATE_EPOCH} ${committed})
    set(borrowed TRUE)
  endif()
endif()
string(TIMESTAMP created "%Y-%m-%dT%H:%M:%SZ" UTC)
if(borrowed)
  unset(ENV{SOURCE_DATE_EPOCH})
  unset(borrowed)
endif()

function(sbom_package out id name version license purl)
  set(reference)
  if(purl)
    set(reference ",
      \"externalRefs\": [{ \"referenceCategory\": \"PACKAGE-MANAGER\", \"referenceType\": \"purl\", \"referenceLocator\": \"${purl}\" }]")
  endif()
  set(${out} "    {
      \"SPDXID\": \"SPDXRef-${id}\",
      \"name\": \"${name}\",
      \"versionInfo\": \"${version}\",
      \"downloadLocation\": \"NOASSERTION\",
      \"filesAnalyzed\": false,
      \"licenseConcluded\": \"NOASSERTION\",
      \"licenseDeclared\": \"${license}\",
      \"copyrightText\": \"NOASSERTION\"${reference}
    }" PARENT_SCOPE)
endfunction()

sbom_package(packages hanaper hanaper ${PROJECT_VERSION} Apache-2.0 "")
set(relations "    { \"spdxElementId\": \"SPDXRef-DOCUMENT\", \"relationshipType\": \"DESCRIBES\", \"relatedSpdxElement\": \"SPDXRef-hanaper\" }")
foreach(package IN LISTS sbom_packages)
  string(REGEX MATCH "^([^|]*)[|]([^|]*)[|]([^|]*)[|](.*)$" matched "${package}")
  set(name "${CMAKE_MATCH_1}")
  set(license "${CMAKE_MATCH_2}")
  set(version "${CMAKE_MATCH_3}")
  set(debian "${CMAKE_MATCH_4}")
  set(purl)
  if(debian)
    execute_process(COMMAND dpkg-query -W -f "\${Version}\\n" ${debian} OUTPUT_VARIABLE installed ERROR_QUIET RESULT_VARIABLE failed)
    if(failed EQUAL 0)
      string(REGEX REPLACE "\n.*" "" installed "${installed}")
      if(NOT version)
        string(REGEX REPLACE "^[0-9]+:|-[^-]*$" "" version "${installed}")
      endif()
      string(REPLACE ":" "%3A" escaped "${installed}")
      string(REPLACE "+" "%2B" escaped "${escaped}")
      set(purl "pkg:deb/debian/${debian}@${escaped}")
    endif()
  endif()
  if(NOT version)
    set(version NOASSERTION)
  endif()
  string(REGEX REPLACE "[^A-Za-z0-9.-]" "-" id "${name}")
  sbom_package(one ${id} "${name}" "${version}" "${license}" "${purl}")
  string(APPEND packages ",\n${one}")
  string(APPEND relations ",\n    { \"spdxElementId\": \"SPDXRef-hanaper\", \"relationshipType\": \"DEPENDS_ON\", \"relatedSpdxElement\": \"SPDXRef-${id}\" }")
endforeach()

# A name of its own for each content, as SPDX wants it.
string(UUID document NAMESPACE 6ba7b811-9dad-11d1-80b4-00c04fd430c8 NAME "hanaper ${created} ${packages}" TYPE SHA1)
file(CONFIGURE OUTPUT ${PROJECT_BINARY_DIR}/hanaper.spdx.json @ONLY CONTENT [[{
  "spdxVersion": "SPDX-2.3",
  "dataLicense": "CC0-1.0",
  "SPDXID": "SPDXRef-DOCUMENT",
  "name": "hanaper-@PROJECT_VERSION@",
  "documentNamespace": "urn:uuid:@document@",
  "creationInfo": {
    "created": "@created@",
    "creators": ["Organization: the hanaper authors", "Tool: CMake-@CMAKE_VERSION@"]
  },
  "packages": [
@packages@
  ],
  "relationships": [
@relations@
  ]
}
]])
install(FILES ${PROJECT_BINARY_DIR}/hanaper.spdx.json DESTINATION ${CMAKE_INSTALL_DATADIR}/hanaper)
