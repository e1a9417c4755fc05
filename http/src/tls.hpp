// TLS contexts of the server and the client.
#pragma once

#include <boost/asio/ssl/context.hpp>
#include <memory>
#include <string>

#include "waybill/error.hpp"
#include "waybill/http/server.hpp"

namespace waybill::http {

using TlsContext = boost::asio::ssl::context;

// **Errors**: fix_call naming the file.
[[nodiscard]] Result<std::unique_ptr<TlsContext>> make_server_tls(const TlsFiles& files);
[[nodiscard]] Result<std::unique_ptr<TlsContext>> make_client_tls(const std::string& ca_file);

}  // namespace waybill::http
