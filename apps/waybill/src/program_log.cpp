#include "program_log.hpp"

#include <spdlog/logger.h>
#include <spdlog/pattern_formatter.h>
#include <spdlog/sinks/stdout_sinks.h>

#include <memory>

#include "output.hpp"

namespace waybill::cli {
namespace {

std::string_view to_word(LogLevel level) noexcept {
  switch (level) {
    case LogLevel::debug:
      return "debug";
    case LogLevel::info:
      return "info";
    case LogLevel::warning:
      return "warning";
    case LogLevel::alarm:
      break;
  }
  return "ALARM";
}

}  // namespace

LogSink make_program_log(LogLevel least) {
  // Shared between the copies of the sink, which live in several modules' options.
  const auto logger = std::make_shared<spdlog::logger>(
      "waybill", std::make_shared<spdlog::sinks::stderr_sink_mt>());
  logger->set_formatter(std::make_unique<spdlog::pattern_formatter>(
      "%Y-%m-%dT%H:%M:%S.%eZ %v", spdlog::pattern_time_type::utc));
  logger->flush_on(spdlog::level::info);
  return [logger, least](LogLevel level, std::string_view text) {
    if (level < least) return;
    logger->info("{} {}", to_word(level), printable(text));
  };
}

}  // namespace waybill::cli
