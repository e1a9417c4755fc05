// Certificates of an authority that exists for one test, made by the openssl command.
#pragma once

#include <filesystem>
#include <string>

#include "waybill/http/server.hpp"

namespace waybill::http::testing {

class Authority {
 public:
  Authority();   // throws when the openssl command is missing
  ~Authority();  // removes every file
  Authority(const Authority&) = delete;
  Authority& operator=(const Authority&) = delete;

  [[nodiscard]] std::string certificate_file() const { return path("ca.pem"); }

  // A server's certificate for names such as "IP:127.0.0.1" or "DNS:localhost,DNS:orders".
  [[nodiscard]] TlsFiles issue(const std::string& names, int days = 2);
  // A file with this text.
  [[nodiscard]] std::string write(const std::string& name, const std::string& text) const;

 private:
  [[nodiscard]] std::string path(const std::string& name) const {
    return (folder_ / name).string();
  }
  void openssl(const std::string& arguments) const;

  std::filesystem::path folder_;
  int issued_ = 0;
};

}  // namespace waybill::http::testing
