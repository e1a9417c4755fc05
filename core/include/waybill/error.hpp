// How waybill reports what went wrong: a value that says what the caller can do about it.
#pragma once

#include <optional>
#include <string>
#include <utility>
#include <variant>

namespace waybill {

// What the caller can do about a failure.
enum class Remedy {
  retry,     // passing: the same call may succeed later; nothing was changed
  look,      // in doubt: it may or may not have happened; look before doing it again
  fix_call,  // permanent: the call, the configuration or the schema must change first
};

[[nodiscard]] const char* to_string(Remedy remedy) noexcept;

// A failure with its remedy.
// `text` says what failed, with the value; `hint` says what to do. Neither holds payloads or
// credentials.
struct Error {
  Remedy remedy = Remedy::fix_call;
  std::string text;
  std::string hint;

  // "text (hint)", or the text alone.
  [[nodiscard]] std::string to_string() const;
};

// A value or an Error. Reading the side that is absent throws std::bad_variant_access.
//
//   Result<int> parsed = parse(text);
//   if (!parsed) return parsed.error();
//   use(*parsed);
//
// **Ownership**: holds either by value. **Thread safety**: as the value's.
template <class T>
class [[nodiscard]] Result {
 public:
  Result(T value)
      : content_(std::in_place_index<0>, std::move(value)) {
  }  // NOLINT(google-explicit-constructor)
  Result(Error error)
      : content_(std::in_place_index<1>, std::move(error)) {
  }  // NOLINT(google-explicit-constructor)

  [[nodiscard]] bool ok() const noexcept { return content_.index() == 0; }
  explicit operator bool() const noexcept { return ok(); }

  [[nodiscard]] T& value() & { return std::get<0>(content_); }
  [[nodiscard]] const T& value() const& { return std::get<0>(content_); }
  [[nodiscard]] T&& value() && { return std::get<0>(std::move(content_)); }
  T& operator*() & { return value(); }
  const T& operator*() const& { return value(); }
  T&& operator*() && { return std::move(*this).value(); }
  T* operator->() { return &value(); }
  const T* operator->() const { return &value(); }

  [[nodiscard]] const Error& error() const { return std::get<1>(content_); }

 private:
  std::variant<T, Error> content_;
};

// Success without a value, or an Error.
template <>
class [[nodiscard]] Result<void> {
 public:
  Result() = default;
  Result(Error error) : error_(std::move(error)) {}  // NOLINT(google-explicit-constructor)

  [[nodiscard]] bool ok() const noexcept { return !error_.has_value(); }
  explicit operator bool() const noexcept { return ok(); }
  [[nodiscard]] const Error& error() const { return error_.value(); }

 private:
  std::optional<Error> error_;
};

using Status = Result<void>;

}  // namespace waybill
