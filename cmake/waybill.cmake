# What every module is made of.
include(CMakePackageConfigHelpers)
include(GNUInstallDirs)

# waybill_library(NAME SOURCES... ): static library waybill_NAME, public headers in ./include, alias waybill::NAME.
function(waybill_library name)
  add_library(waybill_${name} STATIC ${ARGN})
  add_library(waybill::${name} ALIAS waybill_${name})
  waybill_public_headers(waybill_${name} include)
  target_include_directories(waybill_${name} PRIVATE ${CMAKE_CURRENT_SOURCE_DIR}/src)
  waybill_strict(waybill_${name})
  waybill_install(waybill_${name})
endfunction()

# waybill_public_headers(TARGET FOLDERS...): what its users may include.
function(waybill_public_headers target)
  foreach(folder ${ARGN})
    target_include_directories(${target} PUBLIC $<BUILD_INTERFACE:${CMAKE_CURRENT_SOURCE_DIR}/${folder}>)
    if(WAYBILL_INSTALL)
      install(DIRECTORY ${folder}/ DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})
    endif()
  endforeach()
endfunction()

# waybill_install(TARGET): its file, and its place among the targets of find_package(waybill).
set(WAYBILL_EXPORT waybillTargets)
function(waybill_install target)
  if(NOT WAYBILL_INSTALL)
    return()
  endif()
  string(REPLACE waybill_ "" name ${target})
  set_target_properties(${target} PROPERTIES EXPORT_NAME ${name})
  install(TARGETS ${target} EXPORT ${WAYBILL_EXPORT} OBJECTS DESTINATION ${CMAKE_INSTALL_LIBDIR}/waybill
    INCLUDES DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})
endfunction()

# waybill_install_package(): what find_package(waybill) reads.
function(waybill_install_package)
  set(folder ${CMAKE_INSTALL_LIBDIR}/cmake/waybill)
  configure_package_config_file(cmake/waybillConfig.cmake.in ${PROJECT_BINARY_DIR}/waybillConfig.cmake INSTALL_DESTINATION ${folder})
  write_basic_package_version_file(${PROJECT_BINARY_DIR}/waybillConfigVersion.cmake COMPATIBILITY SameMinorVersion)
  install(FILES ${PROJECT_BINARY_DIR}/waybillConfig.cmake ${PROJECT_BINARY_DIR}/waybillConfigVersion.cmake
    cmake/waybillDependencies.cmake DESTINATION ${folder})
  install(EXPORT waybillTargets NAMESPACE waybill:: DESTINATION ${folder})
  if(WAYBILL_TESTS)
    install(EXPORT waybillTestingTargets NAMESPACE waybill:: DESTINATION ${folder})
  endif()
endfunction()

# waybill_check_adapters(): WAYBILL_ADAPTERS has what there is, and what else is built has what it takes.
function(waybill_check_adapters)
  set(all sqlite postgres mariadb kafka rabbitmq)
  foreach(adapter ${WAYBILL_ADAPTERS})
    if(NOT adapter IN_LIST all)
      message(FATAL_ERROR "WAYBILL_ADAPTERS has '${adapter}'; there are: ${all}")
    endif()
  endforeach()
  list(REMOVE_ITEM all "" ${WAYBILL_ADAPTERS})
  if(all AND (WAYBILL_PROGRAM OR WAYBILL_TESTS))
    message(FATAL_ERROR "WAYBILL_PROGRAM and WAYBILL_TESTS take all adapters; WAYBILL_ADAPTERS lacks: ${all}. Set both to OFF.")
  endif()
  if(WAYBILL_TESTS AND NOT WAYBILL_PROGRAM)
    message(FATAL_ERROR "WAYBILL_TESTS takes WAYBILL_PROGRAM=ON")
  endif()
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

function(waybill_strict target)
  target_compile_options(${target} PRIVATE -Wall -Wextra -Wpedantic -Wconversion -Wshadow)
  # Another project's compiler may know warnings that ours does not.
  if(PROJECT_IS_TOP_LEVEL)
    target_compile_options(${target} PRIVATE -Werror)
  endif()
  # GCC 12 warns wrongly about string concatenation (its bug 105651).
  if(CMAKE_CXX_COMPILER_ID STREQUAL GNU AND CMAKE_CXX_COMPILER_VERSION VERSION_LESS 13)
    target_compile_options(${target} PRIVATE -Wno-restrict)
  endif()
endfunction()
