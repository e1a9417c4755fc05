// How answers of stores and publishers become events of the engine.
#include <set>
#include <type_traits>

#include "shell.hpp"
#include "waybill/message_id.hpp"

namespace waybill::relay {
namespace {

// What a row costs besides its payload.
constexpr std::size_t kRowBytes = 512;

std::uint64_t hash_of(std::string_view key) noexcept {
  if (key.empty()) return 0;
  std::uint64_t hash = 0xCBF29CE484222325U;
  for (const char c : key) {
    hash ^= static_cast<unsigned char>(c);
    hash *= 0x100000001B3U;
  }
  return hash == 0 ? 1 : hash;
}

RowHead head_of(const MessageRow& row) {
  RowHead head;
  head.id = row.id;
  head.from = row.state;
  head.at = row.state == MessageState::RETRY ? row.next_attempt_at : row.gmt_modified;
  head.modified = row.gmt_modified;
  head.accepted_at = row.first_accepted_at;
  head.key_hash = hash_of(row.key);
  head.bytes = row.content.size() + kRowBytes;
  head.epoch = row.epoch;
  head.sends = row.sends;
  head.refusals = row.refusals;
  head.defect = !row.defect.empty();
  return head;
}

}  // namespace

void Runner::Shell::take(Inbox::Taken taken) {
  if (taken.rung) events_.emplace_back(Rung{});
  for (Arrival& arrival : taken.arrivals) {
    std::visit([this](auto& one) { translate(one); }, arrival);
  }
  if (taken.stop) events_.emplace_back(Stop{});
}

void Runner::Shell::translate(PublishAnswer& answer) {
  if (!answer.result) {
    events_.emplace_back(Withdrawn{answer.id});
    return;
  }
  events_.emplace_back(Published{answer.id, *answer.result, answer.retry_after});
  if (*answer.result == PublishResult::acked) return;
  if (closing_ && *answer.result == PublishResult::unknown) ++unanswered_;
  const auto found = payloads_.find(answer.id);
  if (found == payloads_.end()) return;
  free_content(answer.id);
  if (answer.reason.empty()) answer.reason = to_string(*answer.result);
  const std::string& type = found->second.row.message_type;
  note_error("publish of type '" + type + "': " + answer.reason);
  const auto number = types_.find(type);
  if (number) {
    type_reasons_[*number] = answer.reason;
    const Route* route = find_route(routes_, type);
    const auto destination = route != nullptr ? destinations_.find(route->destination) : number;
    if (route != nullptr && destination) destination_reasons_[*destination] = answer.reason;
  }
  found->second.reason = std::move(answer.reason);
}

void Runner::Shell::translate(StoreAnswer& answer) {
  const RequestId request = answer.request;
  const auto visitor = [this, request](auto& content) {
    using Content = std::decay_t<decltype(content)>;
    if constexpr (std::is_same_v<Content, Error>) {
      note_error(content.to_string());
      events_.emplace_back(Failed{request, content.remedy});
    } else if constexpr (std::is_same_v<Content, RoutesAnswer>) {
      translate_routes(request, content);
    } else if constexpr (std::is_same_v<Content, std::vector<std::string>>) {
      learn_types(request, content);
    } else if constexpr (std::is_same_v<Content, PageAnswer>) {
      translate_page(request, content);
    } else if constexpr (std::is_same_v<Content, SettledPage>) {
      const auto& rows = settled_.emplace_back(std::move(content.rows));
      events_.emplace_back(SettledRead{request, rows, content.last, content.exhausted});
    } else if constexpr (std::is_same_v<Content, std::vector<KeyBlock>>) {
      std::vector<KeyBlockHead>& blocks = key_blocks_.emplace_back();
      for (const KeyBlock& block : content) {
        blocks.push_back({block.id, hash_of(block.key), block.state, block.epoch, block.accepted});
      }
      const bool complete = blocks.size() <= options_.engine.held_max;
      events_.emplace_back(KeysRead{request, blocks, complete});
    } else if constexpr (std::is_same_v<Content, MarksAnswer>) {
      results_.push_back(std::move(content.results));
      events_.emplace_back(MarksDone{request, results_.back(), content.deposed});
    } else if constexpr (std::is_same_v<Content, LeaseView>) {
      lease_seen_ = content;
      events_.emplace_back(LeaseSeen{request, content});
    } else if constexpr (std::is_same_v<Content, std::optional<Lease>>) {
      events_.emplace_back(LeaseIs{request, content});
    } else {
      events_.emplace_back(LeaseReleased{request});
    }
  };
  std::visit(visitor, answer.content);
}

void Runner::Shell::translate_page(RequestId request, PageAnswer& answer) {
  limits_.database_was(answer.page.now, answer.read_at);
  std::vector<RowHead>& heads = heads_.emplace_back();
  for (MessageRow& row : answer.page.rows) {
    Payload payload;
    payload.message_id = MessageId{row.biz_type, row.message_type, row.identifier}.to_string();
    if (row.defect.empty() && payload.message_id.size() > kMessageIdBytesMax) {
      row.defect = "message id is " + std::to_string(payload.message_id.size()) +
                   " bytes, at most " + std::to_string(kMessageIdBytesMax);
    }
    payload.reason = row.defect;
    heads.push_back(head_of(row));
    payload.row = std::move(row);
    page_rows_.insert_or_assign(heads.back().id, std::move(payload));
  }
  events_.emplace_back(RowsRead{request, heads, answer.page.exhausted, answer.page.now});
}

void Runner::Shell::translate_routes(RequestId request, RoutesAnswer& answer) {
  if (answer.routes) {
    routes_ = std::move(*answer.routes);
    routes_version_ = answer.version;
    for (TypeId type = 0; type < types_.size(); ++type) tell_route(type);
  }
  progress_ = std::move(answer.progress);
  for (TypeId type = 0; type < types_.size(); ++type) tell_progress(type);
  events_.emplace_back(RoutesRead{request});
}

void Runner::Shell::learn_types(RequestId request, const std::vector<std::string>& types) {
  std::vector<TypeId>& numbers = type_lists_.emplace_back();
  for (const std::string& type : types) numbers.push_back(type_number(type));
  events_.emplace_back(TypesListed{request, numbers});
}

// Beyond the limit all further types share one number, which the engine refuses.
TypeId Runner::Shell::type_number(const std::string& name) {
  if (const auto known = types_.find(name)) return *known;
  if (types_.size() >= options_.engine.types_max) {
    RouteIs beyond;
    beyond.type = options_.engine.types_max;
    events_.emplace_back(beyond);
    return beyond.type;
  }
  const TypeId type = types_.number(name);
  tell_route(type);
  tell_progress(type);
  return type;
}

void Runner::Shell::tell_route(TypeId type) {
  RouteIs event;
  event.type = type;
  const Route* route = find_route(routes_, types_.name(type));
  if (route != nullptr) {
    event.routed = true;
    event.destination = destinations_.number(route->destination);
    event.confirmed = !route->consumers.empty();
    event.held = route->dispatch != Dispatch::relay;
    event.ordering = route->ordering;
    event.confirm_deadline = route->confirm_deadline;
    event.version = route->version;
  }
  events_.emplace_back(event);
}

void Runner::Shell::tell_progress(TypeId type) {
  const std::string& name = types_.name(type);
  events_.emplace_back(progress_of(type, name, find_route(routes_, name), progress_,
                                   options_.engine.retention_default));
}

}  // namespace waybill::relay
