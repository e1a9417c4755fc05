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

# waybill_test(NAME SOURCES... [SERVERS names...] [PYTHON]): executable waybill_NAME_tests, each TEST a ctest named
# NAME.Suite.test. With SERVERS, ctest starts these of tools/servers before and stops them after, and labels the tests.
# With PYTHON, the packages of tools/python-packages are in the folder WAYBILL_PYTHON_PACKAGES when they run.
function(waybill_test name)
  cmake_parse_arguments(test "PYTHON" "" "SERVERS" ${ARGN})
  add_executable(waybill_${name}_tests ${test_UNPARSED_ARGUMENTS})
  target_link_libraries(waybill_${name}_tests PRIVATE GTest::gtest_main)
  waybill_strict(waybill_${name}_tests)
  gtest_discover_tests(waybill_${name}_tests TEST_PREFIX "${name}." DISCOVERY_TIMEOUT 60 TEST_LIST waybill_${name}_list
    PROPERTIES TIMEOUT 300)
  set(fixtures ${test_SERVERS})
  if(test_SERVERS)
    target_compile_definitions(waybill_${name}_tests PRIVATE WAYBILL_SERVERS_TOOLS="${PROJECT_SOURCE_DIR}/tools/servers")
  endif()
  if(test_PYTHON)
    target_compile_definitions(waybill_${name}_tests PRIVATE WAYBILL_PYTHON_PACKAGES="${PROJECT_BINARY_DIR}/python")
    list(APPEND fixtures python)
  endif()
  # The discovery takes no list as a property's value.
  if(fixtures)
    set(file ${CMAKE_CURRENT_BINARY_DIR}/waybill_${name}_fixtures.cmake)
    file(WRITE ${file} "set_tests_properties(\${waybill_${name}_list} PROPERTIES
      LABELS \"${test_SERVERS}\" FIXTURES_REQUIRED \"${fixtures}\")\n")
    set_property(DIRECTORY APPEND PROPERTY TEST_INCLUDE_FILES ${file})
  endif()
endfunction()

# waybill_server(NAME): the ctest fixture NAME, a server of tools/servers.
function(waybill_server name)
  add_test(NAME server.${name}.start COMMAND ${PROJECT_SOURCE_DIR}/tools/servers/${name} start)
  set_tests_properties(server.${name}.start PROPERTIES FIXTURES_SETUP ${name} TIMEOUT 120)
  add_test(NAME server.${name}.wipe COMMAND ${PROJECT_SOURCE_DIR}/tools/servers/${name} wipe)
  set_tests_properties(server.${name}.wipe PROPERTIES FIXTURES_CLEANUP ${name} TIMEOUT 120)
endfunction()

# waybill_python_packages(): the ctest fixture that installs them.
function(waybill_python_packages)
  add_test(NAME python.packages COMMAND ${PROJECT_SOURCE_DIR}/tools/python-packages ${PROJECT_BINARY_DIR}/python)
  set_tests_properties(python.packages PROPERTIES FIXTURES_SETUP python TIMEOUT 300)
endfunction()

function(waybill_strict target)
  target_compile_options(${target} PRIVATE -Wall -Wextra -Wpedantic -Wconversion -Wshadow -Werror)
  # GCC 12 warns wrongly about string concatenation (its bug 105651).
  if(CMAKE_CXX_COMPILER_ID STREQUAL GNU AND CMAKE_CXX_COMPILER_VERSION VERSION_LESS 13)
    target_compile_options(${target} PRIVATE -Wno-restrict)
  endif()
endfunction()
