#include "tls.hpp"

#include <openssl/ssl.h>

namespace waybill::http {
namespace {

namespace ssl = boost::asio::ssl;
using Code = boost::system::error_code;

Error unusable(const std::string& what, const std::string& file, const Code& why,
               const std::string& hint) {
  return {Remedy::fix_call, what + " '" + file + "' cannot be used: " + why.message(), hint};
}

std::unique_ptr<TlsContext> make_context(ssl::context::method method) {
  auto context = std::make_unique<TlsContext>(method);
  SSL_CTX_set_min_proto_version(context->native_handle(), TLS1_2_VERSION);
  return context;
}

}  // namespace

Result<std::unique_ptr<TlsContext>> make_server_tls(const TlsFiles& files) {
  auto context = make_context(ssl::context::tls_server);
  // Without a callback OpenSSL would ask the terminal for the pass phrase.
  context->set_password_callback([](std::size_t, auto) { return std::string(); });
  Code failed;
  context->use_certificate_chain_file(files.certificate_file, failed);
  if (failed) {
    return unusable("certificate_file", files.certificate_file, failed,
                    "a PEM file with the server's certificate first");
  }
  context->use_private_key_file(files.key_file, ssl::context::pem, failed);
  if (failed) {
    return unusable("key_file", files.key_file, failed,
                    "a PEM file without a pass phrase, with the certificate's own key");
  }
  return context;
}

Result<std::unique_ptr<TlsContext>> make_client_tls(const std::string& ca_file) {
  auto context = make_context(ssl::context::tls_client);
  context->set_verify_mode(ssl::verify_peer);
  Code failed;
  if (ca_file.empty()) {
    context->set_default_verify_paths(failed);
  } else {
    context->load_verify_file(ca_file, failed);
  }
  if (failed) return unusable("ca_file", ca_file, failed, "a PEM file with CA certificates");
  return context;
}

}  // namespace waybill::http
