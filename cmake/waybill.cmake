# The two kinds of targets that every module is made of.

# waybill_library(NAME SOURCES... ): static library waybill_NAME, public headers in ./include, alias waybill::NAME.
function(waybill_library name)
  add_library(waybill_${name} STATIC ${ARGN})
  add_library(waybill::${name} ALIAS waybill_${name})
  target_include_directories(waybill_${name} PUBLIC ${CMAKE_CURRENT_SOURCE_DIR}/include PRIVATE ${CMAKE_CURRENT_SOURCE_DIR}/src)
  waybill_strict(waybill_${name})
endfunction()

# waybill_test(NAME SOURCES... ): executable waybill_NAME_tests, each TEST a ctest named NAME.Suite.test.
function(waybill_test name)
  add_executable(waybill_${name}_tests ${ARGN})
  target_link_libraries(waybill_${name}_tests PRIVATE GTest::gtest_main)
  waybill_strict(waybill_${name}_tests)
  gtest_discover_tests(waybill_${name}_tests TEST_PREFIX "${name}." DISCOVERY_TIMEOUT 60 PROPERTIES TIMEOUT 300)
endfunction()

function(waybill_strict target)
  target_compile_options(${target} PRIVATE -Wall -Wextra -Wpedantic -Wconversion -Wshadow -Werror)
  # GCC 12 warns wrongly about string concatenation (its bug 105651).
  if(CMAKE_CXX_COMPILER_ID STREQUAL GNU AND CMAKE_CXX_COMPILER_VERSION VERSION_LESS 13)
    target_compile_options(${target} PRIVATE -Wno-restrict)
  endif()
endfunction()
