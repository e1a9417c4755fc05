#include "text_file.hpp"

#include <fmt/format.h>

#include <cerrno>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <system_error>

namespace waybill::cli {
namespace {

struct CloseFile {
  void operator()(std::FILE* file) const noexcept { std::fclose(file); }
};
using FileHandle = std::unique_ptr<std::FILE, CloseFile>;

Error cannot_read(const std::string& path, std::string why) {
  return {Remedy::fix_call, fmt::format("cannot read {}: {}", path, why),
          "check the path and the rights of this user"};
}

}  // namespace

Result<std::string> read_text_file(const std::string& path) {
  std::error_code problem;
  const std::filesystem::file_status status = std::filesystem::status(path, problem);
  if (status.type() == std::filesystem::file_type::not_found) {
    return cannot_read(path, "no such file");
  }
  if (status.type() == std::filesystem::file_type::directory) {
    return cannot_read(path, "it is a folder");
  }
  const FileHandle file(std::fopen(path.c_str(), "rb"));
  if (!file) return cannot_read(path, std::generic_category().message(errno));
  std::string text(kTextFileBytesMax + 1, '\0');
  text.resize(std::fread(text.data(), 1, text.size(), file.get()));
  if (std::ferror(file.get()) != 0) return cannot_read(path, "the read failed");
  if (text.size() > kTextFileBytesMax) {
    return cannot_read(path, fmt::format("it is larger than {} bytes", kTextFileBytesMax));
  }
  return text;
}

}  // namespace waybill::cli
