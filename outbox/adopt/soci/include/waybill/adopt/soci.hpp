// Lets waybill join transactions of a `soci::session` that you opened. Header only; link your own
// SOCI, and the C library under it.
#pragma once

#include <soci/soci.h>

#include <stdexcept>
#include <string>

#include "waybill/transaction.hpp"

// As in the C libraries' own headers.
struct pg_conn;
struct st_mysql;

namespace waybill {

// What SOCI calls the backend that holds such a handle.
template <class Native>
struct SociBackendName;
template <>
struct SociBackendName<pg_conn*> {
  static constexpr const char* kName = "postgresql";
};
template <>
struct SociBackendName<st_mysql*> {
  static constexpr const char* kName = "mysql";
};

// A session by the C handle that its backend holds; that handle's adapter does the rest. Include
// both the backend's header and the adapter:
//
//   #include <soci/postgresql/soci-postgresql.h>
//   #include <waybill/adopt/postgres.hpp>
//   #include <waybill/adopt/soci.hpp>
//
//   SociSession<soci::postgresql_session_backend> connection(session);
//   outbox.add(connection, message);
//
// Backends: soci::postgresql_session_backend, and soci::mysql_session_backend on MariaDB. The
// SQLite backend's header declares SQLite in a namespace of its own; hand the sqlite3* over
// yourself.
// **Guarantee**: that of the handle's adapter. The handle is looked up at each call, so that a
// session that was connected anew is seen as such.
// **Ownership**: borrows the session.
// **Errors**: std::invalid_argument for a session of another backend, that is not connected, or
// that is of a pool (take the pool's own: `pool.at(position)`).
// **Thread safety**: as the session's.
template <class Backend>
class SociSession {
 public:
  using Native = decltype(Backend::conn_);

  explicit SociSession(soci::session& session) : session_(session) {}

  [[nodiscard]] Native native() const {
    const std::string name = SociBackendName<Native>::kName;
    if (session_.get_backend_name() != name) {
      throw std::invalid_argument("the soci::session is of the backend " +
                                  session_.get_backend_name() + ", not of " + name);
    }
    return static_cast<const Backend*>(session_.get_backend())->conn_;
  }

 private:
  soci::session& session_;
};

}  // namespace waybill
