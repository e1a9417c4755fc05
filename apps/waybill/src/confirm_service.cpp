#include "confirm_service.hpp"

#include <fmt/format.h>

#include "destinations.hpp"
#include "keys_file.hpp"

namespace waybill::cli {
namespace {

// Messages in it would be dropped, being no confirmations; a queue's consumers would miss them.
Status check_carries_no_messages(MessageStore& store, const std::string& reply_destination) {
  const auto session = store.open_console();
  if (!session) return {};  // the relay tells of the same trouble
  const auto routes = (*session)->routes();
  if (!routes) return {};
  for (const Route& route : *routes) {
    if (route.destination != reply_destination) continue;
    return Error{Remedy::fix_call,
                 fmt::format("confirm.reply_destination: '{}' is where the route of '{}' leads",
                             reply_destination, route.message_type),
                 "give confirmations a topic of their own"};
  }
  return {};
}

}  // namespace

ConfirmService::ConfirmService(MessageStore& store, const Config& config, LogSink log)
    : store_(store), config_(config), log_(std::move(log)) {}

ConfirmService::~ConfirmService() {
  reader_.reset();
  if (server_) server_->stop();
}

Status ConfirmService::start() {
  Result<confirm::KeyRing> keys = load_keys(config_.confirm.keys_file);
  if (!keys) return keys.error();
  confirm::EndpointOptions options;
  options.log = log_;
  endpoint_ = std::make_unique<confirm::Endpoint>(store_, std::move(*keys), options);
  if (!config_.confirm.listen.empty()) {
    if (const Status status = listen(); !status) return status;
  }
  return config_.confirm.reply_destination.empty() ? Status() : read_replies();
}

Status ConfirmService::listen() {
  const std::string_view text = config_.confirm.listen;
  const Result<ListenAddress> address = parse_listen(text);
  if (!address) return address.error();
  http::ServerOptions options;
  options.address = address->host;
  options.port = address->port;
  options.allow_remote = config_.confirm.allow_remote;
  const bool is_tls = !config_.confirm.tls_certificate.empty();
  if (is_tls) {
    options.tls = http::TlsFiles{config_.confirm.tls_certificate, config_.confirm.tls_key};
  }
  options.log = log_;
  server_ = std::make_unique<http::Server>(options, [this](const http::Request& request) {
    confirm::Reply reply =
        endpoint_->handle({request.method, request.target, request.headers, request.body});
    return http::Response{reply.status, std::move(reply.content_type), std::move(reply.body),
                          std::move(reply.headers)};
  });
  const Result<std::uint16_t> port = server_->start();
  if (!port) return port.error();
  log_(LogLevel::info, fmt::format("confirmations on {}://{}:{}{}", is_tls ? "https" : "http",
                                   text.substr(0, text.rfind(':')), *port, confirm::kPath));
  return {};
}

Status ConfirmService::read_replies() {
  const Config::Confirm& config = config_.confirm;
  if (Status own = check_carries_no_messages(store_, config.reply_destination); !own) return own;
  confirm::ReplyReaderOptions options;
  if (config.reply_age_max) {
    options.age_max = std::chrono::duration_cast<std::chrono::seconds>(*config.reply_age_max);
  }
  options.log = log_;
  reader_ = std::make_unique<confirm::ReplyReader>(
      *endpoint_,
      [this] {
        return subscriber_of(config_, config_.confirm.reply_destination,
                             config_.confirm.reply_group);
      },
      options);
  if (const Status status = reader_->start(); !status) return status;
  log_(LogLevel::info,
       fmt::format("confirmations from destination '{}'", config.reply_destination));
  return {};
}

void ConfirmService::reload() {
  Result<confirm::KeyRing> keys = load_keys(config_.confirm.keys_file);
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
