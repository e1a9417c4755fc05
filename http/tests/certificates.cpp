#include "certificates.hpp"

#include <cstdlib>
#include <fstream>
#include <stdexcept>

namespace waybill::http::testing {
namespace {

constexpr const char* kNewKey = " -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes";

std::filesystem::path make_folder() {
  std::string pattern = (std::filesystem::temp_directory_path() / "waybill-tls-XXXXXX").string();
  if (mkdtemp(pattern.data()) == nullptr) throw std::runtime_error("cannot create " + pattern);
  return pattern;
}

}  // namespace

Authority::Authority() : folder_(make_folder()) {
  openssl("req -x509" + std::string(kNewKey) + " -keyout ca.key -out ca.pem -subj /CN=ca -days 2");
}

Authority::~Authority() {
  std::error_code ignored;
  std::filesystem::remove_all(folder_, ignored);
}

TlsFiles Authority::issue(const std::string& names, int days) {
  const std::string name = "server" + std::to_string(++issued_);
  static_cast<void>(write(name + ".ext", "subjectAltName=" + names + "\n"));
  openssl("req -new" + std::string(kNewKey) + " -keyout " + name + ".key -out " + name +
          ".csr -subj /CN=server");
  openssl("x509 -req -CA ca.pem -CAkey ca.key -CAcreateserial -in " + name + ".csr -extfile " +
          name + ".ext -days " + std::to_string(days) + " -out " + name + ".pem");
  return {path(name + ".pem"), path(name + ".key")};
}

std::string Authority::write(const std::string& name, const std::string& text) const {
  std::ofstream(path(name)) << text;
  return path(name);
}

void Authority::openssl(const std::string& arguments) const {
  const std::string command =
      "cd '" + folder_.string() + "' && openssl " + arguments + " >openssl.log 2>&1";
  if (std::system(command.c_str()) != 0) {
    throw std::runtime_error("openssl " + arguments + " failed");
  }
}

}  // namespace waybill::http::testing
