#include "confirm_service.hpp"

#include <fmt/format.h>

#include "keys_file.hpp"

namespace waybill::cli {

ConfirmService::ConfirmService(MessageStore& store, const Config::Confirm& config, LogSink log)
    : store_(store), config_(config), log_(std::move(log)) {}

ConfirmService::~ConfirmService() {
  if (server_) server_->stop();
}

Result<std::uint16_t> ConfirmService::start() {
  Result<confirm::KeyRing> keys = load_keys(config_.keys_file);
  if (!keys) return keys.error();
  const Result<ListenAddress> address = parse_listen(config_.listen);
  if (!address) return address.error();
  confirm::EndpointOptions endpoint_options;
  endpoint_options.log = log_;
  endpoint_ = std::make_unique<confirm::Endpoint>(store_, std::move(*keys), endpoint_options);
  http::ServerOptions options;
  options.address = address->host;
  options.port = address->port;
  options.allow_remote = config_.allow_remote;
  if (!config_.tls_certificate.empty()) {
    options.tls = http::TlsFiles{config_.tls_certificate, config_.tls_key};
  }
  options.log = log_;
  server_ = std::make_unique<http::Server>(options, [this](const http::Request& request) {
    confirm::Reply reply =
        endpoint_->handle({request.method, request.target, request.headers, request.body});
    return http::Response{reply.status, std::move(reply.content_type), std::move(reply.body),
                          std::move(reply.headers)};
  });
  return server_->start();
}

void ConfirmService::reload() {
  Result<confirm::KeyRing> keys = load_keys(config_.keys_file);
  if (!keys) {
    log_(LogLevel::alarm, fmt::format("keys not reloaded, the old ones stay in force: {}",
                                      keys.error().to_string()));
    return;
  }
  const std::size_t count = keys->size();
  endpoint_->set_keys(std::move(*keys));
  log_(LogLevel::info, fmt::format("keys reloaded: {}", count));
}

}  // namespace waybill::cli
