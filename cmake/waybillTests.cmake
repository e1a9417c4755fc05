# What tests are made of.
include(GoogleTest)
find_package(GTest REQUIRED)

# Their adapters and examples are built and tested where they are found.
pkg_check_modules(PQXX IMPORTED_TARGET libpqxx>=6.4)
find_package(Qt5Sql 5.15 QUIET)
find_path(SOCI_INCLUDE soci/soci.h)
find_library(SOCI_CORE soci_core)
find_library(SOCI_MYSQL soci_mysql)
find_library(SOCI_POSTGRESQL soci_postgresql)
if(SOCI_INCLUDE AND SOCI_CORE AND SOCI_MYSQL AND SOCI_POSTGRESQL)
  set(SOCI_FOUND ON)
  set(SOCI_LIBRARIES ${SOCI_POSTGRESQL} ${SOCI_MYSQL} ${SOCI_CORE})
endif()

# What computes takes several times as long under the sanitizers: a test has more time, the simulator fewer days.
set(WAYBILL_TEST_SLOWNESS 1)
if(WAYBILL_SANITIZE)
  set(WAYBILL_TEST_SLOWNESS 5)
endif()
math(EXPR WAYBILL_TEST_SECONDS_MAX "300 * ${WAYBILL_TEST_SLOWNESS}")

# waybill_test_headers(TARGET): what every test includes is compiled once, by the first, for all. To read it takes a test
# as long as the rest of it.
function(waybill_test_headers target)
  if(target STREQUAL waybill_core_tests)
    target_precompile_headers(${target} PRIVATE
      <gtest/gtest.h> <chrono> <filesystem> <fstream> <functional> <future> <random> <thread>)
  else()
    target_precompile_headers(${target} REUSE_FROM waybill_core_tests)
  endif()
endfunction()

# waybill_test(NAME SOURCES... [SERVERS names...] [PYTHON] [FILTER patterns] [HEAVY regex]): executable waybill_NAME_tests,
# each TEST a ctest named NAME.Suite.test. With SERVERS, ctest starts these of tools/servers before and stops them after,
# and labels the tests. With PYTHON, the packages of tools/python-packages are in the folder WAYBILL_PYTHON_PACKAGES when
# they run. With FILTER, only the tests that GoogleTest finds by it are run. Tests wait more than they compute, so
# tools/test runs two for each processor; those whose names match HEAVY compute, or start servers of their own: they
# count as two, and are begun before others when there is room for them.
function(waybill_test name)
  cmake_parse_arguments(test "PYTHON" "FILTER;HEAVY" "SERVERS" ${ARGN})
  add_executable(waybill_${name}_tests ${test_UNPARSED_ARGUMENTS})
  target_link_libraries(waybill_${name}_tests PRIVATE GTest::gtest_main)
  waybill_strict(waybill_${name}_tests)
  waybill_test_headers(waybill_${name}_tests)
  set(filter)
  if(test_FILTER)
    set(filter TEST_FILTER "${test_FILTER}")
  endif()
  gtest_discover_tests(waybill_${name}_tests TEST_PREFIX "${name}." NO_PRETTY_VALUES ${filter}
    DISCOVERY_TIMEOUT 60 TEST_LIST waybill_${name}_list PROPERTIES TIMEOUT ${WAYBILL_TEST_SECONDS_MAX})
  set(fixtures ${test_SERVERS})
  if(test_SERVERS)
    target_compile_definitions(waybill_${name}_tests PRIVATE WAYBILL_SERVERS_TOOLS="${PROJECT_SOURCE_DIR}/tools/servers")
  endif()
  if(test_PYTHON)
    target_compile_definitions(waybill_${name}_tests PRIVATE WAYBILL_PYTHON_PACKAGES="${PROJECT_BINARY_DIR}/python")
    list(APPEND fixtures python)
  endif()
  # The discovery takes no list as a property's value, and gives all tests the same.
  set(properties)
  if(fixtures)
    string(APPEND properties "set_tests_properties(\${waybill_${name}_list} PROPERTIES
      LABELS \"${test_SERVERS}\" FIXTURES_REQUIRED \"${fixtures}\")\n")
  endif()
  if(test_HEAVY)
    string(APPEND properties "foreach(test IN LISTS waybill_${name}_list)
      if(test MATCHES \"${test_HEAVY}\")
        set_tests_properties(\"\${test}\" PROPERTIES PROCESSORS 2 COST 60)
      endif()
    endforeach()\n")
  endif()
  if(properties)
    set(file ${CMAKE_CURRENT_BINARY_DIR}/waybill_${name}_properties.cmake)
    file(WRITE ${file} "${properties}")
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

foreach(server kafka mariadb postgres rabbitmq)
  waybill_server(${server})
endforeach()
waybill_python_packages()
