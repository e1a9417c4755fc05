// What the stores' fixtures have alike. A database is an adapter's: it is there as long as its
// object, and has options() to open it and query() for what another client does.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "waybill/stores/schema.hpp"
#include "waybill/testing/must.hpp"
#include "waybill/testing/store_conformance.hpp"

namespace waybill::store {

using testing::must;

template <class OfAdapter>
class Fixture : public testing::StoreFixture {
 public:
  using Database = OfAdapter;
  // The arguments are the database's.
  template <class... Arguments>
  explicit Fixture(const Arguments&... arguments) : database_(arguments...) {
    for (const SchemaPart part : {SchemaPart::producer, SchemaPart::consumer}) {
      static_cast<void>(must(apply_schema(options(), part)));
    }
  }

  [[nodiscard]] auto options() const { return database_.options(); }
  std::unique_ptr<MessageStore> open_store() override {
    return must(open_message_store(options()));
  }
  std::unique_ptr<InboxStore> open_inbox() override { return must(open_inbox_store(options())); }
  void execute(const std::string& sql) override { database_.query(sql); }
  std::vector<std::string> query(const std::string& sql) override { return database_.query(sql); }

 private:
  Database database_;
};

}  // namespace waybill::store
