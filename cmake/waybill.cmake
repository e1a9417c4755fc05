# What every module is made of.

# waybill_library(NAME SOURCES... ): static library waybill_NAME, public headers in ./include, alias waybill::NAME.
function(waybill_library name)
  add_library(waybill_${name} STATIC ${ARGN})
  add_library(waybill::${name} ALIAS waybill_${name})
  target_include_directories(waybill_${name} PUBLIC ${CMAKE_CURRENT_SOURCE_DIR}/include PRIVATE ${CMAKE_CURRENT_SOURCE_DIR}/src)
  waybill_strict(waybill_${name})
endfunction()

# waybill_embed_sql(TARGET NAMESPACE): its .sql files in ./sql and ./migrations as constants in "sql.hpp".
function(waybill_embed_sql target namespace)
  file(GLOB files CONFIGURE_DEPENDS sql/*.sql migrations/*.sql)
  set(header ${CMAKE_CURRENT_BINARY_DIR}/generated/sql.hpp)
  set(script ${PROJECT_SOURCE_DIR}/cmake/embed_sql.cmake)
  add_custom_command(
    OUTPUT ${header}
    COMMAND ${CMAKE_COMMAND} -DROOT=${CMAKE_CURRENT_SOURCE_DIR} -DOUT=${header} -DNAMESPACE=${namespace} -P ${script}
    DEPENDS ${files} ${script}
    VERBATIM)
  target_sources(${target} PRIVATE ${header})
  target_include_directories(${target} PRIVATE ${CMAKE_CURRENT_BINARY_DIR}/generated)
endfunction()

# waybill_test(NAME SOURCES... [SERVERS names...]): executable waybill_NAME_tests, each TEST a ctest named
# NAME.Suite.test. With SERVERS, ctest starts these of tools/servers before and stops them after, and labels the tests.
function(waybill_test name)
  cmake_parse_arguments(test "" "" "SERVERS" ${ARGN})
  add_executable(waybill_${name}_tests ${test_UNPARSED_ARGUMENTS})
  target_link_libraries(waybill_${name}_tests PRIVATE GTest::gtest_main)
  waybill_strict(waybill_${name}_tests)
  if(test_SERVERS)
    target_compile_definitions(waybill_${name}_tests PRIVATE WAYBILL_SERVERS_TOOLS="${PROJECT_SOURCE_DIR}/tools/servers")
    list(JOIN test_SERVERS "\\;" servers)
    set(of_servers LABELS ${servers} FIXTURES_REQUIRED ${servers})
  endif()
  gtest_discover_tests(waybill_${name}_tests TEST_PREFIX "${name}." DISCOVERY_TIMEOUT 60
    PROPERTIES TIMEOUT 300 ${of_servers})
endfunction()

# waybill_server(NAME): the ctest fixture NAME, a server of tools/servers.
function(waybill_server name)
  add_test(NAME server.${name}.start COMMAND ${PROJECT_SOURCE_DIR}/tools/servers/${name} start)
  set_tests_properties(server.${name}.start PROPERTIES FIXTURES_SETUP ${name} TIMEOUT 120)
  add_test(NAME server.${name}.wipe COMMAND ${PROJECT_SOURCE_DIR}/tools/servers/${name} wipe)
  set_tests_properties(server.${name}.wipe PROPERTIES FIXTURES_CLEANUP ${name} TIMEOUT 120)
endfunction()

function(waybill_strict target)
  target_compile_options(${target} PRIVATE -Wall -Wextra -Wpedantic -Wconversion -Wshadow -Werror)
  # GCC 12 warns wrongly about string concatenation (its bug 105651).
  if(CMAKE_CXX_COMPILER_ID STREQUAL GNU AND CMAKE_CXX_COMPILER_VERSION VERSION_LESS 13)
    target_compile_options(${target} PRIVATE -Wno-restrict)
  endif()
endfunction()
