// PostgreSQL's side of store.hpp.
#include <memory>
#include <stdexcept>
#include <string>

#include "postgres_shop.hpp"
#include "store.hpp"
#include "waybill/stores/postgres.hpp"
#include "waybill/testing/must.hpp"

namespace waybill::bench {
namespace {

// A busy machine is no broken connection.
constexpr Millis kPatience{30'000};

class PostgresBench final : public StoreBench {
 public:
  std::unique_ptr<MessageStore> open() override {
    return testing::must(
        postgres::open_message_store({.url = shop_.url(), .answer_timeout = kPatience}));
  }

  void add(std::int64_t first, int count) override {
    client_.run(
        "INSERT INTO local_message(id, message_type, biz_type, identifier, content)"
        " SELECT i, 'order.placed', 'order', 'A-' || i, repeat('x', 256)"
        " FROM generate_series(" +
        std::to_string(first) + ", " + std::to_string(first + count - 1) + ") AS i");
  }

  BareMark bare_mark() override {
    const auto client = std::make_shared<PostgresClient>(shop_.url());  // by the function's copies
    client->prepare("mark",
                    "UPDATE local_message SET state = 'SUCCESS', gmt_modified = now()"
                    " WHERE id = ANY($1::bigint[]) AND state = 'INIT'");
    return [client](std::int64_t first, int rows, int batch) {
      for (std::int64_t id = first; id < first + rows; id += batch) {
        std::string ids;
        for (int i = 0; i < batch; ++i) ids += (i == 0 ? '{' : ',') + std::to_string(id + i);
        ids += '}';
        if (client->execute("mark", {ids.c_str()}) != batch) {
          throw std::runtime_error("a row was not marked");
        }
      }
    };
  }

  void fill(const Kept& rows) override {
    insert("SUCCESS", rows.done);
    insert("SENT", rows.sent);
    insert("RETRY", rows.retry);
    client_.run(
        "INSERT INTO local_message_delivery(id, message_type, next_attempt_at, sends, refusals)"
        " SELECT id, message_type, now() + interval '1 day', 1, 1"
        " FROM local_message WHERE state = 'RETRY'");
    insert("INIT", 100);
    client_.run("VACUUM ANALYZE local_message");
    client_.run("VACUUM ANALYZE local_message_delivery");
    client_.run("CHECKPOINT");
  }

 private:
  void insert(const std::string& state, std::int64_t count) {
    client_.run(
        "INSERT INTO local_message(message_type, biz_type, identifier, content, state)"
        " SELECT 'order.placed', 'order', '" +
        state + "-' || i, '{}', '" + state + "' FROM generate_series(1, " + std::to_string(count) +
        ") AS i");
  }

  PostgresShop shop_;
  PostgresClient client_{shop_.url()};
};

}  // namespace

std::vector<Benchmark> postgres_store_benchmarks() {
  return store_benchmarks("postgres", [] { return std::make_unique<PostgresBench>(); });
}

}  // namespace waybill::bench
