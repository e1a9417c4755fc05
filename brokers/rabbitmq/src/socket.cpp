#include "socket.hpp"

#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <system_error>

namespace waybill::rabbitmq {
namespace {

// One TLS record, so that little is undecided when the connection breaks.
constexpr std::size_t kTlsWriteMax = 16384;

std::string text_of(int error) {
  return std::generic_category().message(error);
}

std::string tls_text() {
  const unsigned long error = ERR_get_error();
  ERR_clear_error();
  const char* const text = error == 0 ? nullptr : ERR_reason_error_string(error);
  return text == nullptr ? "TLS failed" : text;
}

Error refuse(const std::string& what) {
  return {Remedy::fix_call, what + ": " + tls_text(), "check the file and its rights"};
}

void set_option(int descriptor, int level, int option, int value) {
  static_cast<void>(::setsockopt(descriptor, level, option, &value, sizeof(value)));
}

// Small answers at once; a peer that vanished is noticed by the kernel while nobody pumps.
void configure(int descriptor) {
  set_option(descriptor, IPPROTO_TCP, TCP_NODELAY, 1);
  set_option(descriptor, SOL_SOCKET, SO_KEEPALIVE, 1);
  set_option(descriptor, IPPROTO_TCP, TCP_KEEPIDLE, 10);
  set_option(descriptor, IPPROTO_TCP, TCP_KEEPINTVL, 5);
  set_option(descriptor, IPPROTO_TCP, TCP_KEEPCNT, 3);
}

bool is_ip_address(const std::string& host) {
  return Owned<ASN1_OCTET_STRING, ASN1_OCTET_STRING_free>(a2i_IPADDRESS(host.c_str())) != nullptr;
}

int send_quietly(BIO* bio, const char* bytes, int size) {
  int descriptor = -1;
  BIO_get_fd(bio, &descriptor);
  const ssize_t sent = ::send(descriptor, bytes, static_cast<std::size_t>(size), MSG_NOSIGNAL);
  BIO_clear_retry_flags(bio);
  if (sent <= 0 && BIO_sock_should_retry(static_cast<int>(sent)) != 0) BIO_set_retry_write(bio);
  return static_cast<int>(sent);
}

using BioMethod = Owned<BIO_METHOD, BIO_meth_free>;

// OpenSSL's own would raise SIGPIPE when the server is gone.
const BIO_METHOD* quiet_socket() {
  static const BioMethod method = [] {
    const BIO_METHOD* const socket = BIO_s_socket();
    BioMethod quiet(BIO_meth_new(BIO_TYPE_SOCKET, "quiet socket"));
    BIO_meth_set_write(quiet.get(), send_quietly);
    BIO_meth_set_read(quiet.get(), BIO_meth_get_read(socket));
    BIO_meth_set_ctrl(quiet.get(), BIO_meth_get_ctrl(socket));
    BIO_meth_set_create(quiet.get(), BIO_meth_get_create(socket));
    BIO_meth_set_destroy(quiet.get(), BIO_meth_get_destroy(socket));
    return quiet;
  }();
  return method.get();
}

}  // namespace

struct Socket::Target {
  sockaddr_storage address{};
  socklen_t size = 0;
};

Result<TlsContext> make_tls_context(const Tls& tls) {
  ERR_clear_error();
  TlsContext context(SSL_CTX_new(TLS_client_method()));
  if (!context) return refuse("cannot use TLS");
  SSL_CTX_set_min_proto_version(context.get(), TLS1_2_VERSION);
  SSL_CTX_set_mode(context.get(),
                   SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
  // A server that ends without a goodbye is a lost connection, whatever TLS calls it.
  SSL_CTX_set_options(context.get(), SSL_OP_IGNORE_UNEXPECTED_EOF);
  SSL_CTX_set_verify(context.get(), tls.verify_peer ? SSL_VERIFY_PEER : SSL_VERIFY_NONE, nullptr);
  const bool trusts = tls.ca_file.empty()
                          ? SSL_CTX_set_default_verify_paths(context.get()) == 1
                          : SSL_CTX_load_verify_file(context.get(), tls.ca_file.c_str()) == 1;
  if (!trusts) return refuse("ca_file '" + tls.ca_file + "'");
  if (tls.certificate_file.empty()) return context;
  if (SSL_CTX_use_certificate_chain_file(context.get(), tls.certificate_file.c_str()) != 1) {
    return refuse("certificate_file '" + tls.certificate_file + "'");
  }
  if (SSL_CTX_use_PrivateKey_file(context.get(), tls.key_file.c_str(), SSL_FILETYPE_PEM) != 1) {
    return refuse("key_file '" + tls.key_file + "'");
  }
  return context;
}

Socket::Socket(const Address& address, SSL_CTX* context, bool verify_name)
    : address_(address), context_(context), verify_name_(verify_name) {}

Socket::~Socket() {
  disconnect();
}

void Socket::disconnect() noexcept {
  tls_.reset();
  if (descriptor_ >= 0) ::close(descriptor_);
  descriptor_ = -1;
  state_ = State::lost;
  tcp_open_ = false;
  tls_wants_write_ = false;
}

void Socket::lose(std::string reason) {
  disconnect();
  reason_ = std::move(reason);
}

void Socket::start() {
  undecided_ = 0;
  targets_.clear();
  addrinfo wanted{};
  wanted.ai_socktype = SOCK_STREAM;
  wanted.ai_flags = AI_ADDRCONFIG;
  addrinfo* raw = nullptr;
  const std::string port = std::to_string(address_.port);
  const int error = ::getaddrinfo(address_.host.c_str(), port.c_str(), &wanted, &raw);
  if (error != 0) return lose("cannot resolve the host: " + std::string(::gai_strerror(error)));
  const Owned<addrinfo, ::freeaddrinfo> found(raw);
  for (const addrinfo* each = raw; each != nullptr; each = each->ai_next) {
    Target target;
    std::memcpy(&target.address, each->ai_addr, each->ai_addrlen);
    target.size = each->ai_addrlen;
    targets_.insert(targets_.begin(), target);
  }
  reason_ = "the host has no address";
  try_next();
}

void Socket::try_next() {
  while (!targets_.empty()) {
    const Target target = targets_.back();
    targets_.pop_back();
    disconnect();
    state_ = State::connecting;
    descriptor_ =
        ::socket(target.address.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, IPPROTO_TCP);
    if (descriptor_ < 0) {
      reason_ = text_of(errno);
      continue;
    }
    configure(descriptor_);
    const auto* const to = reinterpret_cast<const sockaddr*>(&target.address);  // NOLINT
    if (::connect(descriptor_, to, target.size) == 0 || errno == EINPROGRESS) return;
    reason_ = text_of(errno);
  }
  lose(reason_);
}

void Socket::establish() {
  if (state_ != State::connecting) return;
  if (!tcp_open_) {
    pollfd waits{descriptor_, POLLOUT, 0};
    if (::poll(&waits, 1, 0) <= 0) return;
    int error = 0;
    socklen_t size = sizeof(error);
    if (::getsockopt(descriptor_, SOL_SOCKET, SO_ERROR, &error, &size) != 0) error = errno;
    if (error != 0) {
      reason_ = text_of(error);
      return try_next();
    }
    tcp_open_ = true;
    if (context_ != nullptr) begin_tls();
  }
  if (tls_) {
    ERR_clear_error();
    const int result = SSL_connect(tls_.get());
    if (result != 1) return note_tls(result);
    tls_wants_write_ = false;
  }
  if (descriptor_ >= 0) state_ = State::open;
}

void Socket::begin_tls() {
  ERR_clear_error();
  tls_.reset(SSL_new(context_));
  BIO* const bio = BIO_new(quiet_socket());
  bool ready = tls_ && bio != nullptr;
  if (!ready) {
    BIO_free(bio);
    return lose(tls_text());
  }
  BIO_set_fd(bio, descriptor_, BIO_NOCLOSE);
  SSL_set_bio(tls_.get(), bio, bio);
  const char* const host = address_.host.c_str();
  const bool by_address = is_ip_address(address_.host);
  if (ready && !by_address) ready = SSL_set_tlsext_host_name(tls_.get(), host) == 1;
  if (ready && verify_name_) {
    ready = by_address ? X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(tls_.get()), host) == 1
                       : SSL_set1_host(tls_.get(), host) == 1;
  }
  if (!ready) lose(tls_text());
}

std::string Socket::tls_reason(int result) const {
  const int system = errno;
  if (SSL_get_error(tls_.get(), result) == SSL_ERROR_SYSCALL) {
    return system == 0 ? "the server closed the connection" : text_of(system);
  }
  const long verified = SSL_get_verify_result(tls_.get());
  std::string reason = "TLS: " + tls_text();
  if (verified != X509_V_OK) {
    reason += std::string(": ") + X509_verify_cert_error_string(verified);
  }
  return reason;
}

void Socket::note_tls(int result) {
  switch (SSL_get_error(tls_.get(), result)) {
    case SSL_ERROR_WANT_READ:
      tls_wants_write_ = false;
      return;
    case SSL_ERROR_WANT_WRITE:
      tls_wants_write_ = true;
      return;
    case SSL_ERROR_ZERO_RETURN:
      return lose("the server closed the connection");
    default:
      return lose(tls_reason(result));
  }
}

std::size_t Socket::read(char* to, std::size_t size_max) {
  if (state_ != State::open) return 0;
  if (tls_) {
    ERR_clear_error();
    const int size = SSL_read(tls_.get(), to, static_cast<int>(size_max));
    if (size > 0) return static_cast<std::size_t>(size);
    note_tls(size);
    return 0;
  }
  const ssize_t size = ::recv(descriptor_, to, size_max, 0);
  if (size > 0) return static_cast<std::size_t>(size);
  if (size == 0) {
    lose("the server closed the connection");
  } else if (errno != EAGAIN && errno != EINTR) {
    lose(text_of(errno));
  }
  return 0;
}

std::size_t Socket::write(std::string_view bytes) {
  if (state_ != State::open || bytes.empty()) return 0;
  if (tls_) {
    const std::size_t size_max = std::min(bytes.size(), std::max(undecided_, kTlsWriteMax));
    ERR_clear_error();
    const int size = SSL_write(tls_.get(), bytes.data(), static_cast<int>(size_max));
    if (size > 0) {
      undecided_ = 0;
      tls_wants_write_ = false;
      return static_cast<std::size_t>(size);
    }
    undecided_ = size_max;
    note_tls(size);
    return 0;
  }
  const ssize_t size = ::send(descriptor_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
  if (size >= 0) return static_cast<std::size_t>(size);
  if (errno != EAGAIN && errno != EINTR) lose(text_of(errno));
  return 0;
}

short Socket::events(bool has_output, bool reads) const noexcept {
  int events = 0;
  if (state_ == State::connecting && !tcp_open_) {
    events = POLLOUT;
  } else if (state_ == State::connecting) {
    events = tls_wants_write_ ? POLLOUT : POLLIN;
  } else if (state_ == State::open) {
    events = (reads ? POLLIN : 0) | (has_output || tls_wants_write_ ? POLLOUT : 0);
  }
  return static_cast<short>(events);
}

}  // namespace waybill::rabbitmq
