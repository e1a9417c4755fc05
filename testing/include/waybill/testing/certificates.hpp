// Certificates for tests, made by the openssl command in a folder that vanishes with them.
#pragma once

#include <filesystem>
#include <fstream>
#include <string>

#include "waybill/testing/broker_driver.hpp"

namespace waybill::testing {

// Holds the authorities "ca" and "other" as <name>.crt. All members throw on trouble.
class Certificates {
 public:
  Certificates() : folder_("/var/tmp/" + random_name("waybill-keys")) {
    std::filesystem::create_directory(folder_);
    for (const char* name : {"ca", "other"}) {
      openssl(std::string("req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=") + name +
              " -keyout " + name + ".key -out " + name + ".crt");
    }
  }
  ~Certificates() {
    std::error_code ignored;
    std::filesystem::remove_all(folder_, ignored);
  }
  Certificates(const Certificates&) = delete;
  Certificates& operator=(const Certificates&) = delete;

  // <name>.key, <name>.crt and both in <name>.pem, of "localhost", by "ca", from now for some days.
  void make(const std::string& name, int days) const {
    std::ofstream(path("names")) << "subjectAltName=DNS:localhost\n";
    openssl("req -newkey rsa:2048 -nodes -subj /CN=localhost -keyout " + name + ".key -out " +
            name + ".csr");
    openssl("x509 -req -in " + name +
            ".csr -CA ca.crt -CAkey ca.key -CAcreateserial -extfile names -days " +
            std::to_string(days) + " -out " + name + ".crt");
    run("cd '" + folder_ + "' && cat " + name + ".key " + name + ".crt >" + name +
        ".pem && chmod a+r *");
  }

  [[nodiscard]] std::string path(const std::string& file) const { return folder_ + "/" + file; }

 private:
  void openssl(const std::string& arguments) const {
    run("cd '" + folder_ + "' && openssl " + arguments + " 2>&1");
  }

  const std::string folder_;
};

}  // namespace waybill::testing
