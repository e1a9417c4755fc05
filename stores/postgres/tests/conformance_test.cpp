#include "postgres_fixture.hpp"

namespace waybill::testing {
namespace {

class PostgresServer final : public store::FixtureServer<postgres::PostgresFixture> {
 public:
  using FixtureServer::FixtureServer;

  void end_sessions() override {
    database().execute("SELECT pg_terminate_backend(pid)" + kSessions);
  }
  int running_statements() override {
    return std::stoi(
        database().query("SELECT COUNT(*)" + kSessions + " AND state = 'active'").at(0));
  }
  std::string lock_timeout_code() const override { return "55P03"; }
  // The statement goes with the end of its transaction.
  std::string end_of_mark() const override { return "UPDATE local_message"; }
  void make_updates_slow() override {
    database().execute(
        "CREATE FUNCTION sleep() RETURNS trigger LANGUAGE plpgsql AS"
        " $$ BEGIN PERFORM pg_sleep(60); RETURN NEW; END $$;"
        "CREATE TRIGGER slow BEFORE UPDATE ON local_message FOR EACH ROW EXECUTE FUNCTION"
        " sleep()");
  }
  void make_reads_repeatable() override {
    database().execute(
        "DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET default_transaction_isolation = %L',"
        " current_database(), 'repeatable read'); END $$");
  }

 private:
  // The store's.
  const std::string kSessions =
      " FROM pg_stat_activity WHERE application_name = 'waybill' AND datname = current_database()";
};

INSTANTIATE_TEST_SUITE_P(Postgres, StoreConformance,
                         ::testing::Values(StoreUnderTest{
                             "postgres",
                             [] { return std::make_unique<postgres::PostgresFixture>(); }}),
                         [](const auto& tested) { return tested.param.name; });

INSTANTIATE_TEST_SUITE_P(Postgres, ServerStoreConformance,
                         ::testing::Values(StoreServerUnderTest{
                             "postgres",
                             [] { return std::make_unique<PostgresServer>(store::Host::shared); },
                             [] { return std::make_unique<PostgresServer>(store::Host::own); }}),
                         [](const auto& tested) { return tested.param.name; });

}  // namespace
}  // namespace waybill::testing
