// PostgreSQL's side of business.hpp.
#include <memory>
#include <stdexcept>
#include <string>

#include "business.hpp"
#include "postgres_shop.hpp"
#include "waybill/adopt/postgres.hpp"
#include "waybill/outbox/transaction_template.hpp"

namespace waybill::bench {
namespace {

constexpr const char* kByHand =
    "INSERT INTO local_message(message_type, biz_type, identifier, content, state)"
    " VALUES('order.placed', 'order', $1, $2, 'INIT')";

class PostgresSeller final : public Seller {
 public:
  explicit PostgresSeller(const std::string& url) : client_(url), orders_(client_) {
    client_.prepare("begin", "BEGIN");
    client_.prepare("commit", "COMMIT");
    client_.prepare("by hand", kByHand);
    client_.prepare("rendered", rendered(0).sql);
  }

  void ours(std::int64_t order) override {
    const auto placed = template_.execute([&](auto& tx) {
      orders_.write(order);
      tx.add(message_of(order));
    });
    if (!placed.committed()) throw std::runtime_error(placed.reason);
  }

  void adopted(std::int64_t order) override {
    in_transaction([&] {
      orders_.write(order);
      PGconn* handle = client_.handle();
      const Ticket ticket = outbox_.add(handle, message_of(order), kept_);
      if (ticket.result != AddResult::added) throw std::runtime_error(ticket.text);
    });
  }

  void hand_written(std::int64_t order) override {
    in_transaction([&] {
      orders_.write(order);
      const Message message = message_of(order);
      client_.execute("by hand",
                      {message.identifier.c_str(), std::string(message.content.bytes()).c_str()});
    });
  }

  void bare(std::int64_t order) override {
    in_transaction([&] { orders_.write(order); });
  }

  void ours_at_once(std::int64_t order) override {
    const Rendered message = rendered(order);
    const auto text = [&](std::size_t i) {
      const auto& parameter = message.parameters[i];
      return parameter ? parameter->c_str() : nullptr;
    };
    pipelined(order, 1, [&] {
      client_.send("rendered", {text(0), text(1), text(2), text(3), text(4)});
    });
  }

  void hand_written_at_once(std::int64_t order) override {
    const Message message = message_of(order);
    pipelined(order, 1, [&] {
      client_.send("by hand",
                   {message.identifier.c_str(), std::string(message.content.bytes()).c_str()});
    });
  }

  void bare_at_once(std::int64_t order) override {
    pipelined(order, 0, [] {});
  }

  double syncs() override {
    client_.run("SELECT pg_stat_force_next_flush()");
    return std::stod(client_.run("SELECT wal_sync FROM pg_stat_wal").front());
  }

 private:
  // A duplicate stops the COMMIT behind it.
  [[nodiscard]] Rendered rendered(std::int64_t order) const {
    return outbox_.render(Dialect::postgres, message_of(order), OnDuplicate::fail);
  }

  template <class Write>
  void in_transaction(const Write& write) {
    client_.execute("begin", {});
    write();
    client_.execute("commit", {});
  }

  template <class Send>
  void pipelined(std::int64_t order, int more, const Send& send) {
    PQenterPipelineMode(client_.handle());
    client_.send("begin", {});
    orders_.send(order);
    send();
    client_.send("commit", {});
    client_.finish(PostgresOrders::kStatements + 2 + more);
    PQexitPipelineMode(client_.handle());
  }

  PostgresClient client_;
  PostgresOrders orders_;
  Outbox outbox_;
  transaction_adapter<PGconn*>::Kept kept_;
  PGconn* handle_ = client_.handle();
  TransactionTemplate<PGconn*> template_{handle_, outbox_};
};

class PostgresBusiness final : public BusinessBench {
 public:
  std::unique_ptr<Seller> seller() override {
    return std::make_unique<PostgresSeller>(shop_.url());
  }

  void slow_syncs() override {
    const std::string name = shop_.url().substr(shop_.url().rfind('/') + 1);
    PostgresClient(shop_.url())
        .run("ALTER DATABASE " + name + " SET commit_delay = 1000; ALTER DATABASE " + name +
             " SET commit_siblings = 0");
  }

 private:
  PostgresShop shop_;
};

}  // namespace

std::vector<Benchmark> postgres_benchmarks() {
  return business_benchmarks("postgres", [] { return std::make_unique<PostgresBusiness>(); });
}

}  // namespace waybill::bench
