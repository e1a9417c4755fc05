#include "fake_store.hpp"

#include "shop_database.hpp"

namespace waybill::testing {
namespace {

const Error kUnused{Remedy::fix_call, "not part of this fake", ""};

}  // namespace

class FakeRelaySession final : public RelaySession {
 public:
  explicit FakeRelaySession(FakeStore& store)
      : store_(store), database_(open_sqlite(store.path_)) {}

  Result<std::vector<Route>> routes() override {
    const std::lock_guard lock(store_.mutex_);
    return store_.routes_;
  }
  Result<std::int64_t> routes_version() override {
    const std::lock_guard lock(store_.mutex_);
    return store_.version_;
  }
  Result<std::vector<std::string>> types_present(Lane) override { return kUnused; }
  Result<std::vector<KeyBlock>> key_blocks(std::string_view, bool, std::uint32_t) override {
    return kUnused;
  }
  Result<LanePage> read(const LaneRead&) override {
    LanePage page;
    page.exhausted = true;
    page.now =
        std::chrono::time_point_cast<std::chrono::microseconds>(std::chrono::system_clock::now());
    return page;
  }
  Result<SettledPage> settled(const LaneRead&) override { return kUnused; }
  Result<std::vector<Marked>> mark(std::span<const Mark> marks) override {
    ++store_.marks;
    if (store_.mark_failures > 0) {
      --store_.mark_failures;
      return Error{Remedy::retry, "busy", "try again"};
    }
    std::vector<Marked> results;
    for (const Mark& mark : marks) {
      const auto to = next_state(mark.from, mark.cause);
      if (!to || is_judgement(mark.cause)) return kUnused;
      run(database_.get(), "UPDATE local_message SET state = '" + std::string(to_string(*to)) +
                               "' WHERE id = " + std::to_string(mark.id) + " AND state = '" +
                               std::string(to_string(mark.from)) + "'");
      const bool changed = sqlite3_changes(database_.get()) == 1;
      run(database_.get(),
          "UPDATE local_message SET state = state WHERE id = " + std::to_string(mark.id));
      const bool is_there = sqlite3_changes(database_.get()) == 1;
      results.push_back(changed ? Marked::done : is_there ? Marked::already_further : Marked::gone);
    }
    return results;
  }
  Result<std::optional<std::vector<Marked>>> judge(const Lease&, std::span<const Mark>) override {
    return kUnused;
  }
  Result<LeaseView> lease() override { return kUnused; }
  Result<std::optional<Lease>> take(const LeaseView&, std::string_view) override { return kUnused; }
  Result<std::optional<Lease>> renew(const Lease&) override { return kUnused; }
  Status release(const Lease&) override { return kUnused; }

 private:
  FakeStore& store_;
  Sqlite database_;
};

Result<std::unique_ptr<RelaySession>> FakeStore::open_relay() {
  if (unreachable) return Error{Remedy::retry, "cannot open", "try again"};
  return std::unique_ptr<RelaySession>(std::make_unique<FakeRelaySession>(*this));
}

Result<std::unique_ptr<ConfirmSession>> FakeStore::open_confirm() {
  return kUnused;
}

Result<std::unique_ptr<ConsoleSession>> FakeStore::open_console() {
  return kUnused;
}

void FakeStore::set_routes(std::vector<Route> routes) {
  const std::lock_guard lock(mutex_);
  routes_ = std::move(routes);
  ++version_;
}

}  // namespace waybill::testing
