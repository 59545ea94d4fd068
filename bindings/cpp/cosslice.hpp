/*
 * libcosslice for C++17 and later: uploads large objects to Tencent COS. Header-only, over cosslice.h; link -lcosslice.
 *
 *     cosslice::config config;
 *     config.set(cosslice::opt::app_id, "1250000000").set(cosslice::opt::bucket, "bkt").set(cosslice::opt::region, "gz")
 *           .set(cosslice::opt::secret_id, id).set(cosslice::opt::secret_key, key);
 *     cosslice::upload upload(config, "/videos/a.mp4");
 *     upload.file("a.mp4");                                     // or buffer(), or init() feed()... finish()
 *     std::cout << upload.get(cosslice::info::access_url);
 *
 * In short
 *   - `config` and `upload` free what they hold. They move and do not copy; one that was moved from refuses every call.
 *   - A call that fails throws an `error`, which carries all that is known. The same call with `std::nothrow` at its end
 *     returns a `result` instead and throws nothing.
 *   - The calls that block (`file`, `buffer`, `init`, `feed`, `finish`, `hash`) also take a `std::stop_token` at their end,
 *     where the standard library has one: a stop ends them within 250 ms. Both may be given, in any order.
 *   - Callbacks may throw. The call that they run in ends then, and throws what they threw.
 *   - Sizes and offsets are bytes, 64 bits wide; durations are std::chrono; texts are UTF-8.
 *   - An upload takes one call at a time, on any thread; `cancel` and the numbers of `get` any time, on any thread; its texts
 *     when no other thread begins a call. A config takes one thread at a time. Different uploads are independent.
 *
 * Without exceptions (-fno-exceptions) only the forms with `std::nothrow` are for use: a failure of the others ends the
 * program. Objects that cross shared libraries should come from the same version of this header.
 */
#ifndef COSSLICE_HPP
#define COSSLICE_HPP

#include <cosslice.h>

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <exception>
#include <functional>
#include <memory>
#include <new>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>
#include <type_traits>
#include <utility>

#if __has_include(<version>)
#  include <version>
#endif
#ifdef __cpp_lib_jthread
#  include <stop_token>
#endif

// Taken back at the end. The first marks what must be one thing in a program of several shared libraries, however they
// hide their symbols: exceptions are caught by it.
#if defined(__GNUC__) && !defined(_WIN32)
#  define COSSLICE_HPP_SHARED __attribute__((visibility("default")))
#else
#  define COSSLICE_HPP_SHARED
#endif
#if defined(__cpp_exceptions) || defined(_CPPUNWIND)
#  define COSSLICE_HPP_EXCEPTIONS 1
#endif

namespace cosslice {

// ---- statuses ------------------------------------------------------------------------------------------------------

/// How a call ended; cosslice.h says what each means. Also a std::error_code, comparable with std::errc where that has
/// the same, such as `std::errc::operation_canceled`.
enum class errc : std::int32_t {
    ok = COSSLICE_OK,
    invalid_arg = COSSLICE_E_INVALID_ARG,
    state = COSSLICE_E_STATE,
    busy = COSSLICE_E_BUSY,
    unknown_option = COSSLICE_E_UNKNOWN_OPTION,
    nomem = COSSLICE_E_NOMEM,
    file = COSSLICE_E_FILE,
    source_changed = COSSLICE_E_SOURCE_CHANGED,
    network = COSSLICE_E_NETWORK,
    tls = COSSLICE_E_TLS,
    timeout = COSSLICE_E_TIMEOUT,
    protocol = COSSLICE_E_PROTOCOL,
    server = COSSLICE_E_SERVER,
    auth = COSSLICE_E_AUTH,
    exists = COSSLICE_E_EXISTS,
    canceled = COSSLICE_E_CANCELED,
    forked = COSSLICE_E_FORKED,
    conflict = COSSLICE_E_CONFLICT,
    integrity = COSSLICE_E_INTEGRITY,
    not_found = COSSLICE_E_NOT_FOUND,
    panic = COSSLICE_E_PANIC
};

/// The category of `errc`.
class COSSLICE_HPP_SHARED error_category final : public std::error_category {
public:
    const char* name() const noexcept override { return "cosslice"; }
    std::string message(int status) const override { return cosslice_status_str(status); }
    std::error_condition default_error_condition(int status) const noexcept override
    {
        switch (static_cast<errc>(status)) {
        case errc::invalid_arg: return std::errc::invalid_argument;
        case errc::busy: return std::errc::device_or_resource_busy;
        case errc::nomem: return std::errc::not_enough_memory;
        case errc::timeout: return std::errc::timed_out;
        case errc::protocol: return std::errc::protocol_error;
        case errc::auth: return std::errc::permission_denied;
        case errc::exists: return std::errc::file_exists;
        case errc::canceled: return std::errc::operation_canceled;
        case errc::not_found: return std::errc::no_such_file_or_directory;
        default: return std::error_condition(status, *this);
        }
    }
};

COSSLICE_HPP_SHARED inline const std::error_category& category() noexcept
{
    static const error_category the_one;
    return the_one;
}

inline std::error_code make_error_code(errc status) noexcept
{
    return std::error_code(static_cast<int>(status), category());
}

/// What a call with `std::nothrow` came to.
class [[nodiscard]] result {
public:
    result() noexcept = default;
    result(errc status, std::exception_ptr thrown = nullptr) noexcept : status_(status), thrown_(std::move(thrown)) {}

    bool ok() const noexcept { return status_ == errc::ok; }
    errc status() const noexcept { return status_; }
    operator std::error_code() const noexcept { return make_error_code(status_); }
    /// What a callback threw during the call, or null. A logger that throws at the very end can leave a call that is ok.
    const std::exception_ptr& thrown() const noexcept { return thrown_; }

private:
    errc status_ = errc::ok;
    std::exception_ptr thrown_;
};

/// All that is known of a failure.
struct failure {
    errc status = errc::ok;
    std::string message;                     ///< one sentence that says what to do; never a secret
    std::optional<int> http_status = {};     ///< of the reply that it is about
    std::optional<int> server_code = {};     ///< COS's number
    std::string server_message = {};         ///< COS's own words
    std::string request_id = {};             ///< to quote to Tencent's support
    std::optional<int> os_error = {};        ///< errno
    bool retryable = false;                  ///< the same upload may well succeed later
    std::string resume_token = {};           ///< for `opt::resume_token`; empty when there is nothing to continue
};

// ---- exceptions ----------------------------------------------------------------------------------------------------

/// A call failed. The kinds below are for where a caller acts differently; everything else is plainly this.
class COSSLICE_HPP_SHARED error : public std::system_error {
public:
    explicit error(failure why)
        : std::system_error(make_error_code(why.status)), why_(std::make_shared<const failure>(std::move(why)))
    {
    }

    const char* what() const noexcept override { return why_->message.c_str(); }
    errc status() const noexcept { return why_->status; }
    const std::string& message() const noexcept { return why_->message; }
    std::optional<int> http_status() const noexcept { return why_->http_status; }
    std::optional<int> server_code() const noexcept { return why_->server_code; }
    const std::string& server_message() const noexcept { return why_->server_message; }
    const std::string& request_id() const noexcept { return why_->request_id; }
    std::optional<int> os_error() const noexcept { return why_->os_error; }
    bool retryable() const noexcept { return why_->retryable; }
    const std::string& resume_token() const noexcept { return why_->resume_token; }

private:
    std::shared_ptr<const failure> why_; // shared, because copying an exception must not throw
};

/// The program is wrong: argument, order, second thread, unknown option, handle of before a fork.
class COSSLICE_HPP_SHARED usage_error : public error {
    using error::error;
};
/// No memory for a slice: lower `opt::in_flight` or `opt::slice_size`.
class COSSLICE_HPP_SHARED no_memory_error : public error {
    using error::error;
};
/// The local file could not be read; `os_error` says why.
class COSSLICE_HPP_SHARED file_error : public error {
    using error::error;
};
/// The content is not what was announced or hashed, or it changed meanwhile.
class COSSLICE_HPP_SHARED source_changed_error : public error {
    using error::error;
};
/// The network failed after all retries: upload again to continue.
class COSSLICE_HPP_SHARED network_error : public error {
    using error::error;
};
/// The server was silent for too long: upload again to continue.
class COSSLICE_HPP_SHARED timeout_error : public network_error {
    using network_error::network_error;
};
/// The server's certificate could not be verified.
class COSSLICE_HPP_SHARED tls_error : public error {
    using error::error;
};
/// COS refused; `server_code` and `server_message` say why.
class COSSLICE_HPP_SHARED server_error : public error {
    using error::error;
};
/// The signer refused, or COS refused the signature.
class COSSLICE_HPP_SHARED auth_error : public error {
    using error::error;
};
/// An object has the name already and was not touched; see `opt::overwrite`.
class COSSLICE_HPP_SHARED exists_error : public error {
    using error::error;
};
/// Canceled by `cancel`, a stop token or the progress callback: upload again to continue.
class COSSLICE_HPP_SHARED canceled_error : public error {
    using error::error;
};
/// An unfinished upload of other, or unknown, content holds the name; see `opt::overwrite`.
class COSSLICE_HPP_SHARED conflict_error : public error {
    using error::error;
};
/// Server and client disagree about the content.
class COSSLICE_HPP_SHARED integrity_error : public error {
    using error::error;
};
/// The bucket or the parent directory does not exist.
class COSSLICE_HPP_SHARED not_found_error : public error {
    using error::error;
};

// ---- options and what can be asked ---------------------------------------------------------------------------------

/// What becomes of an object, or of an unfinished upload, that has the name already.
enum class overwrite_mode : std::uint64_t {
    never = 0,   ///< fail with `exists_error` or `conflict_error`
    replace = 1, ///< replace an object
    discard = 2  ///< replace an object, and discard an unfinished upload of other content
};

/// An option whose value is a T. Ranges and defaults are in cosslice.h.
template <class T>
struct option {
    std::uint32_t number;
};

/// The options; "" takes a text back to its default.
namespace opt {
inline constexpr option<std::string_view> app_id{COSSLICE_OPT_APP_ID};
inline constexpr option<std::string_view> bucket{COSSLICE_OPT_BUCKET};
inline constexpr option<std::string_view> region{COSSLICE_OPT_REGION};
inline constexpr option<std::string_view> endpoint{COSSLICE_OPT_ENDPOINT};
inline constexpr option<std::string_view> secret_id{COSSLICE_OPT_SECRET_ID};
inline constexpr option<std::string_view> secret_key{COSSLICE_OPT_SECRET_KEY};
inline constexpr option<std::string_view> authorization{COSSLICE_OPT_AUTHORIZATION};
inline constexpr option<std::string_view> biz_attr{COSSLICE_OPT_BIZ_ATTR};
inline constexpr option<std::string_view> resume_token{COSSLICE_OPT_RESUME_TOKEN};
inline constexpr option<std::string_view> ca_pem{COSSLICE_OPT_CA_PEM};
inline constexpr option<std::string_view> proxy{COSSLICE_OPT_PROXY};
inline constexpr option<std::string_view> user_agent{COSSLICE_OPT_USER_AGENT};
inline constexpr option<std::uint64_t> slice_size{COSSLICE_OPT_SLICE_SIZE};
inline constexpr option<std::uint64_t> in_flight{COSSLICE_OPT_IN_FLIGHT};
inline constexpr option<std::uint64_t> retries{COSSLICE_OPT_RETRIES};
inline constexpr option<std::chrono::milliseconds> connect_timeout_ms{COSSLICE_OPT_CONNECT_TIMEOUT_MS};
inline constexpr option<std::chrono::milliseconds> io_timeout_ms{COSSLICE_OPT_IO_TIMEOUT_MS};
inline constexpr option<std::chrono::seconds> sign_ttl_s{COSSLICE_OPT_SIGN_TTL_S};
inline constexpr option<overwrite_mode> overwrite{COSSLICE_OPT_OVERWRITE};
inline constexpr option<bool> resume{COSSLICE_OPT_RESUME};
inline constexpr option<bool> hash{COSSLICE_OPT_HASH};
inline constexpr option<bool> verify{COSSLICE_OPT_VERIFY};
inline constexpr option<std::uint64_t> single_max{COSSLICE_OPT_SINGLE_MAX};
inline constexpr option<std::uint64_t> bandwidth{COSSLICE_OPT_BANDWIDTH}; ///< bytes per second
} // namespace opt

/// What the library is doing with the content.
enum class phase : std::uint32_t {
    idle = COSSLICE_PHASE_IDLE,
    hashing = COSSLICE_PHASE_HASHING,
    sending = COSSLICE_PHASE_SENDING,
    finishing = COSSLICE_PHASE_FINISHING,
    done = COSSLICE_PHASE_DONE
};

/// Something that can be asked of an upload and is a T.
template <class T>
struct info_field {
    std::uint32_t number;
};

/// What can be asked. Texts are empty when they are not known, flags false, numbers without a value.
namespace info {
inline constexpr info_field<std::string> access_url{COSSLICE_INFO_ACCESS_URL};
inline constexpr info_field<std::string> source_url{COSSLICE_INFO_SOURCE_URL};
inline constexpr info_field<std::string> resource_path{COSSLICE_INFO_RESOURCE_PATH};
inline constexpr info_field<std::string> url{COSSLICE_INFO_URL};
inline constexpr info_field<std::string> preview_url{COSSLICE_INFO_PREVIEW_URL};
inline constexpr info_field<std::string> vid{COSSLICE_INFO_VID};
inline constexpr info_field<std::string> sha1{COSSLICE_INFO_SHA1};
inline constexpr info_field<std::string> message{COSSLICE_INFO_MESSAGE};
inline constexpr info_field<std::string> server_message{COSSLICE_INFO_SERVER_MESSAGE};
inline constexpr info_field<std::string> request_id{COSSLICE_INFO_REQUEST_ID};
inline constexpr info_field<std::string> resume_token{COSSLICE_INFO_RESUME_TOKEN};
inline constexpr info_field<std::uint64_t> bytes_total{COSSLICE_INFO_BYTES_TOTAL};
inline constexpr info_field<std::uint64_t> bytes_done{COSSLICE_INFO_BYTES_DONE};
inline constexpr info_field<std::uint64_t> bytes_resumed{COSSLICE_INFO_BYTES_RESUMED};
inline constexpr info_field<std::uint64_t> next_offset{COSSLICE_INFO_NEXT_OFFSET};
inline constexpr info_field<std::uint64_t> slice_size{COSSLICE_INFO_SLICE_SIZE};
inline constexpr info_field<bool> instant{COSSLICE_INFO_INSTANT};
inline constexpr info_field<bool> verified{COSSLICE_INFO_VERIFIED};
inline constexpr info_field<int> http_status{COSSLICE_INFO_HTTP_STATUS};
inline constexpr info_field<int> server_code{COSSLICE_INFO_SERVER_CODE};
inline constexpr info_field<int> os_error{COSSLICE_INFO_OS_ERROR};
inline constexpr info_field<bool> retryable{COSSLICE_INFO_RETRYABLE};
inline constexpr info_field<std::uint64_t> retries{COSSLICE_INFO_RETRIES};
inline constexpr info_field<cosslice::phase> phase{COSSLICE_INFO_PHASE};
} // namespace info

// ---- callbacks -----------------------------------------------------------------------------------------------------

/// What a signature is wanted for. Valid during the call of the signer only, and so are its texts.
class sign_request {
public:
    explicit sign_request(const cosslice_sign_request* request) noexcept : request_(request) {}

    std::string_view op() const noexcept { return text(COSSLICE_SIGN_OP); }
    std::string_view app_id() const noexcept { return text(COSSLICE_SIGN_APP_ID); }
    std::string_view bucket() const noexcept { return text(COSSLICE_SIGN_BUCKET); }
    std::string_view path() const noexcept { return text(COSSLICE_SIGN_PATH); }
    /// The signature's `f` field.
    std::string_view file_id() const noexcept { return text(COSSLICE_SIGN_FILE_ID); }
    /// Unix seconds; 0 wants a one-time signature.
    std::uint64_t expires_at_s() const noexcept { return cosslice_sign_get_u64(request_, COSSLICE_SIGN_EXPIRES_AT_S); }
    /// Unix seconds by the server's clock, as far as it is known.
    std::uint64_t now_s() const noexcept { return cosslice_sign_get_u64(request_, COSSLICE_SIGN_NOW_S); }

private:
    std::string_view text(std::uint32_t field) const noexcept { return cosslice_sign_get_str(request_, field); }

    const cosslice_sign_request* request_;
};

/// How far an upload is: bytes read while hashing, and acknowledged by COS afterwards.
struct progress {
    cosslice::phase phase;
    std::uint64_t bytes_done;
    std::uint64_t bytes_total;
};

enum class log_level : std::int32_t {
    error = COSSLICE_LOG_ERROR,
    warn = COSSLICE_LOG_WARN,
    info = COSSLICE_LOG_INFO,
    debug = COSSLICE_LOG_DEBUG
};

// Callbacks run on the thread that is inside a call on an upload. Those of a config serve all its uploads, several at once
// when these are on different threads.

/// Returns the signature; an empty one refuses. It is asked a second time for one of more than 1023 characters.
using sign_function = std::function<std::string(const sign_request&)>;
/// Returns whether to go on; `false` cancels.
using progress_function = std::function<bool(const progress&)>;
/// The line is valid during the call only, without a line end, and there is never a secret in it.
using log_function = std::function<void(log_level, std::string_view)>;

/// Memory that is read during a call: pointer and size, or anything contiguous of one-byte elements, such as
/// std::string, std::string_view, std::vector<std::byte>, std::array<char, N>, std::span<const unsigned char>.
class bytes {
public:
    constexpr bytes(const void* memory, std::size_t count) noexcept : data_(memory), size_(count) {}

    template <class Contiguous,
              class Element = std::remove_pointer_t<decltype(std::declval<const Contiguous&>().data())>,
              class = std::enable_if_t<sizeof(Element) == 1 && std::is_trivially_copyable_v<Element> &&
                                       std::is_convertible_v<decltype(std::declval<const Contiguous&>().size()), std::size_t>>>
    constexpr bytes(const Contiguous& contiguous) noexcept : data_(contiguous.data()), size_(contiguous.size())
    {
    }

    constexpr const void* data() const noexcept { return data_; }
    constexpr std::size_t size() const noexcept { return size_; }

private:
    const void* data_;
    std::size_t size_;
};

// ---- machinery -----------------------------------------------------------------------------------------------------

/// Not for use.
namespace detail {

// Throws the failure as what it is.
[[noreturn]] inline void raise(failure why)
{
#ifdef COSSLICE_HPP_EXCEPTIONS
    switch (why.status) {
    case errc::invalid_arg:
    case errc::state:
    case errc::busy:
    case errc::unknown_option:
    case errc::forked: throw usage_error(std::move(why));
    case errc::nomem: throw no_memory_error(std::move(why));
    case errc::file: throw file_error(std::move(why));
    case errc::source_changed: throw source_changed_error(std::move(why));
    case errc::network: throw network_error(std::move(why));
    case errc::timeout: throw timeout_error(std::move(why));
    case errc::tls: throw tls_error(std::move(why));
    case errc::server: throw server_error(std::move(why));
    case errc::auth: throw auth_error(std::move(why));
    case errc::exists: throw exists_error(std::move(why));
    case errc::canceled: throw canceled_error(std::move(why));
    case errc::conflict: throw conflict_error(std::move(why));
    case errc::integrity: throw integrity_error(std::move(why));
    case errc::not_found: throw not_found_error(std::move(why));
    default: throw error(std::move(why));
    }
#else
    (void)why;
    std::terminate();
#endif
}

// How a step ended, and why if it was this header that refused.
struct answer {
    answer(cosslice_status result_status, const char* reason = nullptr) noexcept : status(result_status), why(reason) {}

    cosslice_status status;
    const char* why;
};

// Runs a step that can only throw for want of memory.
template <class Step>
answer without_throwing(Step&& step) noexcept
{
#ifdef COSSLICE_HPP_EXCEPTIONS
    try {
        return step();
    } catch (...) {
        return {COSSLICE_E_NOMEM, "out of memory"};
    }
#else
    return step();
#endif
}

// The same for a callback, which throws what it likes.
template <class Callback, class Keep, class Value>
Value guarded(Callback&& callback, Keep&& keep, Value refusal) noexcept
{
#ifdef COSSLICE_HPP_EXCEPTIONS
    try {
        return callback();
    } catch (...) {
        keep(std::current_exception());
        return refusal;
    }
#else
    (void)keep, (void)refusal;
    return callback();
#endif
}

// A text with a NUL at its end for the time of a call. Wiped, because it may be the secret key.
class text {
public:
    explicit text(std::string_view value) : copy_(value) {}
    text(const text&) = delete;
    text& operator=(const text&) = delete;
    ~text()
    {
        volatile char* at = copy_.data();
        for (std::size_t left = copy_.size(); left > 0; left--)
            *at++ = 0;
    }

    // What lies behind a NUL would silently be left out.
    template <class Call>
    answer pass(Call&& call) const
    {
        if (copy_.find('\0') != std::string::npos)
            return {COSSLICE_E_INVALID_ARG, "the text has a NUL inside"};
        return call(copy_.c_str());
    }

private:
    std::string copy_;
};

struct upload_state {
    upload_state() noexcept = default;
    upload_state(const upload_state&) = delete;
    upload_state& operator=(const upload_state&) = delete;
    ~upload_state() { cosslice_upload_free(handle); }

    cosslice_upload* handle = nullptr;
    std::atomic<bool> in_call{false};
};

// A call that this thread is in; it gets the exceptions of the callbacks.
class call {
public:
    explicit call(upload_state& state) noexcept : state_(state), outer_(innermost()) { innermost() = this; }
    call(const call&) = delete;
    call& operator=(const call&) = delete;
    ~call()
    {
        innermost() = outer_;
        state_.in_call.store(false, std::memory_order_release);
    }

    // There is no call if the upload was given to C code: the exception is lost then.
    static void keep(std::exception_ptr thrown) noexcept
    {
        call* current = innermost();
        if (current && !current->thrown)
            current->thrown = std::move(thrown);
    }

    static void keep_and_cancel(std::exception_ptr thrown) noexcept
    {
        keep(std::move(thrown));
        if (innermost())
            cosslice_upload_cancel(innermost()->state_.handle);
    }

    std::exception_ptr thrown;

private:
    COSSLICE_HPP_SHARED static call*& innermost() noexcept
    {
        static thread_local call* current = nullptr;
        return current;
    }

    upload_state& state_;
    call* outer_; // the one whose callback makes this one
};

inline std::size_t on_sign(void* user, const cosslice_sign_request* request, char* out, std::size_t out_size) noexcept
{
    return guarded(
        [&]() -> std::size_t {
            const std::string signature = (*static_cast<sign_function*>(user))(sign_request(request));
            if (signature.size() < out_size)
                std::memcpy(out, signature.c_str(), signature.size() + 1);
            return signature.size();
        },
        call::keep, std::size_t{0});
}

inline std::int32_t on_progress(void* user, std::uint32_t stage, std::uint64_t bytes_done, std::uint64_t bytes_total) noexcept
{
    return guarded(
        [&]() -> std::int32_t {
            const progress now{static_cast<phase>(stage), bytes_done, bytes_total};
            return (*static_cast<progress_function*>(user))(now) ? 0 : 1;
        },
        call::keep, std::int32_t{1});
}

inline void on_log(void* user, std::int32_t level, const char* message) noexcept
{
    guarded(
        [&] {
            (*static_cast<log_function*>(user))(static_cast<log_level>(level), message);
            return 0;
        },
        call::keep_and_cancel, 0);
}

// Gives a copy of the function to the library, which tells when it can go.
template <class Function, class Set>
answer install(Function&& function, Set&& set)
{
    using Kept = std::decay_t<Function>;
    if (!function)
        return set(nullptr, nullptr);
    auto kept = std::make_unique<Kept>(std::forward<Function>(function));
    const cosslice_status status = set(kept.get(), [](void* user) { delete static_cast<Kept*>(user); });
    if (status == COSSLICE_OK)
        static_cast<void>(kept.release());
    return status;
}

// ---- what may stand at the end of a call: std::nothrow, a std::stop_token

struct no_token {};

// While it lives, a stop cancels the upload.
template <class Token>
struct stop_watch {
    stop_watch(const no_token&, cosslice_upload*) noexcept {}
};

template <class How>
inline constexpr bool is_token = false;

#ifdef __cpp_lib_jthread
struct canceler {
    cosslice_upload* upload;
    void operator()() const noexcept { cosslice_upload_cancel(upload); }
};

template <>
struct stop_watch<std::stop_token> {
    stop_watch(const std::stop_token& token, cosslice_upload* upload) noexcept : callback(token, canceler{upload}) {}

    std::stop_callback<canceler> callback;
};

template <>
inline constexpr bool is_token<std::stop_token> = true;
#endif

template <class How>
inline constexpr bool is_nothrow = std::is_same_v<How, std::nothrow_t>;

template <class... How>
inline constexpr bool nothrow = (is_nothrow<How> || ...);

template <class... How>
inline constexpr bool fits = ((is_nothrow<How> || is_token<How>) && ...);

template <class... How>
using outcome = std::enable_if_t<fits<How...>, std::conditional_t<nothrow<How...>, result, void>>;

inline no_token token_of() noexcept { return {}; }

template <class First, class... Rest>
auto token_of(const First& first, const Rest&... rest) noexcept
{
    if constexpr (is_token<First>)
        return static_cast<void>((rest, ...)), first;
    else
        return static_cast<void>(first), token_of(rest...);
}

// ---- reading

inline std::optional<int> number_of(const cosslice_upload* upload, std::uint32_t field) noexcept
{
    const std::int64_t number = cosslice_upload_get_i64(upload, field);
    return number == -1 ? std::nullopt : std::optional<int>(static_cast<int>(number));
}

inline failure failure_of(const cosslice_upload* upload, cosslice_status status)
{
    failure why{static_cast<errc>(status), cosslice_upload_get_str(upload, COSSLICE_INFO_MESSAGE)};
    // These two say nothing about the upload, and the details would be those of an earlier failure.
    if (status != COSSLICE_E_BUSY && status != COSSLICE_E_FORKED) {
        why.http_status = number_of(upload, COSSLICE_INFO_HTTP_STATUS);
        why.server_code = number_of(upload, COSSLICE_INFO_SERVER_CODE);
        why.server_message = cosslice_upload_get_str(upload, COSSLICE_INFO_SERVER_MESSAGE);
        why.request_id = cosslice_upload_get_str(upload, COSSLICE_INFO_REQUEST_ID);
        why.os_error = number_of(upload, COSSLICE_INFO_OS_ERROR);
        why.retryable = cosslice_upload_get_i64(upload, COSSLICE_INFO_RETRYABLE) == 1;
        why.resume_token = cosslice_upload_get_str(upload, COSSLICE_INFO_RESUME_TOKEN);
    }
    return why;
}

// Ends a call that this header refuses by itself, or that has no handle to ask for details.
template <class... How>
outcome<How...> refuse(const answer& refused)
{
    const errc status = static_cast<errc>(refused.status);
    if constexpr (nothrow<How...>)
        return result(status);
    else
        raise(failure{status, refused.why ? refused.why : cosslice_status_str(refused.status)});
}

// One call on an upload. The state is shared for its time: a callback, or another thread, may drop the upload.
template <class Step, class... How>
outcome<How...> run(const std::shared_ptr<upload_state> state, Step&& step, const How&... how) noexcept(nothrow<How...>)
{
    if (!state)
        return refuse<How...>({COSSLICE_E_INVALID_ARG, "the upload was moved from, closed, or never opened"});
    // The library notices a second call by itself, but not one that would begin while the details are read below.
    if (state->in_call.exchange(true, std::memory_order_acquire))
        return refuse<How...>({COSSLICE_E_BUSY});
    call running(*state);
    const auto token = token_of(how...);
    const auto stepped = [&]() -> answer {
        [[maybe_unused]] const stop_watch<std::decay_t<decltype(token)>> watch(token, state->handle);
        return step(state->handle);
    };
    if constexpr (nothrow<How...>) {
        const answer ended = without_throwing(stepped);
        return result(static_cast<errc>(ended.status), std::move(running.thrown));
    } else {
        const answer ended = stepped();
        if (running.thrown)
            std::rethrow_exception(std::move(running.thrown));
        if (ended.why)
            return refuse<How...>(ended);
        if (ended.status != COSSLICE_OK) {
            failure why = failure_of(state->handle, ended.status);
            if (why.message.empty())
                why.message = cosslice_status_str(ended.status);
            raise(std::move(why));
        }
    }
}

} // namespace detail

// ---- config --------------------------------------------------------------------------------------------------------

/// A template for uploads: options, callbacks, and the connections that its uploads share. Uploads copy what they need when
/// they are made. Nothing here blocks.
class config {
public:
    /// Every option at its default.
    config()
    {
        const cosslice_status status = cosslice_config_new(&handle_);
        if (status != COSSLICE_OK)
            detail::refuse<>({status});
    }
    /// Tests false if that failed.
    explicit config(std::nothrow_t) noexcept { static_cast<void>(cosslice_config_new(&handle_)); }
    config(config&& other) noexcept : handle_(std::exchange(other.handle_, nullptr)) {}
    config& operator=(config&& other) noexcept
    {
        if (this != &other)
            cosslice_config_free(std::exchange(handle_, std::exchange(other.handle_, nullptr)));
        return *this;
    }
    ~config() { cosslice_config_free(handle_); }

    /// Whether it holds a config: not after being moved from.
    explicit operator bool() const noexcept { return handle_ != nullptr; }
    /// For calls of cosslice.h; still freed here.
    cosslice_config* native_handle() const noexcept { return handle_; }
    /// Why the last call with it failed; "" after a success.
    std::string message() const { return cosslice_config_message(handle_); }

    /// Sets an option: `config.set(opt::io_timeout_ms, 30s).set(opt::overwrite, overwrite_mode::replace)`.
    template <class T>
    config& set(option<T> which, std::common_type_t<T> value)
    {
        done(apply(which.number, value));
        return *this;
    }
    template <class T>
    result set(option<T> which, std::common_type_t<T> value, std::nothrow_t) noexcept
    {
        return tried([&] { return apply(which.number, value); });
    }

    /// Lets a callback make the signatures, so that the key need not be on this machine; an empty one goes back to the key.
    config& set_signer(sign_function function)
    {
        done(apply_signer(std::move(function)));
        return *this;
    }
    result set_signer(sign_function function, std::nothrow_t) noexcept
    {
        return tried([&] { return apply_signer(std::move(function)); });
    }

    /// Lets a callback take log lines up to a level; an empty one turns logging off.
    config& set_logger(log_level most, log_function function)
    {
        done(apply_logger(most, std::move(function)));
        return *this;
    }
    result set_logger(log_level most, log_function function, std::nothrow_t) noexcept
    {
        return tried([&] { return apply_logger(most, std::move(function)); });
    }

    /// For the server that signs for others: a signature for the object `path` until `expires_at_s` in Unix seconds, or for
    /// one use with 0. A path that ends with '/' is for everything below it; "" for the whole bucket.
    std::string sign(std::string_view path, std::uint64_t expires_at_s) const
    {
        std::string signature;
        done(apply_sign(path, expires_at_s, signature));
        return signature;
    }
    /// Writes `signature` on success only.
    result sign(std::string_view path, std::uint64_t expires_at_s, std::string& signature, std::nothrow_t) const noexcept
    {
        return tried([&] { return apply_sign(path, expires_at_s, signature); });
    }

private:
    friend class upload;

    detail::answer apply(std::uint32_t which, std::string_view value)
    {
        return detail::text(value).pass([&](const char* copy) { return cosslice_config_set_str(handle_, which, copy); });
    }
    detail::answer apply(std::uint32_t which, std::uint64_t value) { return cosslice_config_set_u64(handle_, which, value); }
    detail::answer apply(std::uint32_t which, bool value) { return apply(which, std::uint64_t{value}); }
    detail::answer apply(std::uint32_t which, overwrite_mode value) { return apply(which, static_cast<std::uint64_t>(value)); }
    template <class Rep, class Period>
    detail::answer apply(std::uint32_t which, std::chrono::duration<Rep, Period> value)
    {
        return apply(which, static_cast<std::uint64_t>(value.count())); // a negative one is far out of range
    }

    detail::answer apply_signer(sign_function&& function)
    {
        return detail::install(std::move(function), [&](void* user, cosslice_release_fn release) {
            return cosslice_config_set_signer(handle_, user ? detail::on_sign : nullptr, user, release);
        });
    }

    detail::answer apply_logger(log_level most, log_function&& function)
    {
        return detail::install(std::move(function), [&](void* user, cosslice_release_fn release) {
            return cosslice_config_set_logger(handle_, static_cast<std::int32_t>(most), user ? detail::on_log : nullptr, user,
                                              release);
        });
    }

    detail::answer apply_sign(std::string_view path, std::uint64_t expires_at_s, std::string& signature) const
    {
        return detail::text(path).pass([&](const char* copy) -> detail::answer {
            std::string out(1024, '\0');
            for (;;) {
                std::size_t len = 0;
                const cosslice_status status = cosslice_config_sign(handle_, copy, expires_at_s, out.data(), out.size(), &len);
                if (status == COSSLICE_OK) {
                    out.resize(len);
                    signature = std::move(out);
                    return status;
                }
                if (len < out.size()) // it is not for want of room
                    return status;
                out.resize(len + 64); // the next one may be longer: a signature has a random number in it
            }
        });
    }

    void done(const detail::answer& ended) const
    {
        if (ended.status != COSSLICE_OK)
            fail(ended);
    }

    [[noreturn]] void fail(const detail::answer& ended) const
    {
        failure why{static_cast<errc>(ended.status), ended.why ? ended.why : cosslice_config_message(handle_)};
        if (!handle_)
            why.message = "the config was moved from or never made";
        if (why.message.empty())
            why.message = cosslice_status_str(ended.status);
        detail::raise(std::move(why));
    }

    template <class Step>
    static result tried(Step&& step) noexcept
    {
        return static_cast<errc>(detail::without_throwing(step).status);
    }

    cosslice_config* handle_ = nullptr;
};

// ---- upload --------------------------------------------------------------------------------------------------------

/// One upload of one object. A failure is final: read it, and make another one to go on. In its lifecycle
/// `file`, or `buffer`, or `hash`* `init` [`seek`] `feed`* `finish`, each may have at its end
///
///   - `std::nothrow`: it returns a `result` and throws nothing; `why` has the details;
///   - a `std::stop_token`: a stop cancels it.
///
/// Freeing (also by closing, by assigning to it) waits at most 250 ms; what the server has stays there. A callback of this
/// very upload may do it.
class upload {
public:
    /// None; `open` makes one.
    upload() noexcept = default;
    /// For the object `path`, which begins with '/', with the config's options as they are now. Nothing is sent yet.
    upload(const config& from, std::string_view path) { open(from, path); }
    upload(upload&& other) noexcept = default;
    upload& operator=(upload&& other) noexcept
    {
        if (this != &other) {
            close();
            state_ = std::move(other.state_);
        }
        return *this;
    }
    ~upload() { close(); }

    /// Replaces what it holds by a new upload; on failure it is left as it was, and `from.message()` says why.
    void open(const config& from, std::string_view path)
    {
        const detail::answer ended = make(from, path);
        if (ended.status != COSSLICE_OK)
            from.fail(ended);
    }
    result open(const config& from, std::string_view path, std::nothrow_t) noexcept
    {
        return static_cast<errc>(detail::without_throwing([&] { return make(from, path); }).status);
    }

    /// Frees the upload now. A call that is running on it, of another thread or the one whose callback this is, is canceled.
    void close() noexcept
    {
        if (state_ && state_->in_call.load(std::memory_order_acquire))
            cosslice_upload_cancel(state_->handle); // the call keeps the handle until it ends
        state_.reset();
    }

    /// Whether it holds an upload.
    explicit operator bool() const noexcept { return state_ != nullptr; }
    /// For calls of cosslice.h; still freed here. Exceptions of callbacks are lost in such calls, which they end as well.
    cosslice_upload* native_handle() const noexcept { return state_ ? state_->handle : nullptr; }

    /// Lets a callback hear how far the upload is, at each acknowledged slice and about every tenth of a second; an empty
    /// one turns it off.
    template <class... How>
    detail::outcome<How...> set_progress(progress_function function, const How&... how) noexcept(detail::nothrow<How...>)
    {
        return detail::run(
            state_,
            [&](cosslice_upload* handle) {
                return detail::install(std::move(function), [&](void* user, cosslice_release_fn release) {
                    return cosslice_upload_set_progress(handle, user ? detail::on_progress : nullptr, user, release);
                });
            },
            how...);
    }

    /// The whole lifecycle for a local file, whose name is UTF-8. Blocks.
    template <class... How>
    detail::outcome<How...> file(std::string_view name, const How&... how) noexcept(detail::nothrow<How...>)
    {
        return detail::run(
            state_,
            [&](cosslice_upload* handle) {
                return detail::text(name).pass([&](const char* copy) { return cosslice_upload_file(handle, copy); });
            },
            how...);
    }
    /// The same for a std::filesystem::path.
    template <class Path, class Text = decltype(std::declval<const Path&>().u8string()), class... How>
    detail::outcome<How...> file(const Path& name, const How&... how) noexcept(detail::nothrow<How...>)
    {
        return detail::run(
            state_,
            [&](cosslice_upload* handle) {
                const Text copy = name.u8string(); // of char or of char8_t
                const std::string_view chars(reinterpret_cast<const char*>(copy.data()), copy.size());
                return detail::text(chars).pass([&](const char* c) { return cosslice_upload_file(handle, c); });
            },
            how...);
    }

    /// The whole lifecycle for memory, which is not copied and must not change meanwhile. Blocks.
    template <class... How>
    detail::outcome<How...> buffer(bytes content, const How&... how) noexcept(detail::nothrow<How...>)
    {
        return detail::run(
            state_, [&](cosslice_upload* handle) { return cosslice_upload_buffer(handle, content.data(), content.size()); }, how...);
    }
    template <class... How>
    detail::outcome<How...> buffer(const void* data, std::size_t size, const How&... how) noexcept(detail::nothrow<How...>)
    {
        return buffer(bytes(data, size), how...);
    }

    /// Optional first pass over the bytes that will be fed, before `init`: enables instant upload and safe resume.
    template <class... How>
    detail::outcome<How...> hash(bytes piece, const How&... how) noexcept(detail::nothrow<How...>)
    {
        return detail::run(
            state_, [&](cosslice_upload* handle) { return cosslice_upload_hash(handle, piece.data(), piece.size()); }, how...);
    }
    template <class... How>
    detail::outcome<How...> hash(const void* data, std::size_t size, const How&... how) noexcept(detail::nothrow<How...>)
    {
        return hash(bytes(data, size), how...);
    }

    /// Opens an upload of `total_size` bytes, or continues one that is known to be of this content. Blocks for a few
    /// requests. Afterwards `info::instant` and `info::next_offset` tell what the server has.
    template <class... How>
    detail::outcome<How...> init(std::uint64_t total_size, const How&... how) noexcept(detail::nothrow<How...>)
    {
        return detail::run(state_, [&](cosslice_upload* handle) { return cosslice_upload_init(handle, total_size); }, how...);
    }

    /// After `init`: the next byte fed is byte `offset` of the content, at most `info::next_offset`. Does not block.
    template <class... How>
    detail::outcome<How...> seek(std::uint64_t offset, const How&... how) noexcept(detail::nothrow<How...>)
    {
        return detail::run(state_, [&](cosslice_upload* handle) { return cosslice_upload_seek(handle, offset); }, how...);
    }

    /// Takes the next bytes, in pieces of any length, and copies them. Blocks while `opt::in_flight` slices are on their way.
    template <class... How>
    detail::outcome<How...> feed(bytes piece, const How&... how) noexcept(detail::nothrow<How...>)
    {
        return detail::run(
            state_, [&](cosslice_upload* handle) { return cosslice_upload_feed(handle, piece.data(), piece.size()); }, how...);
    }
    template <class... How>
    detail::outcome<How...> feed(const void* data, std::size_t size, const How&... how) noexcept(detail::nothrow<How...>)
    {
        return feed(bytes(data, size), how...);
    }

    /// Waits for the slices on their way and puts the object together. Blocks. Afterwards the URLs can be read.
    template <class... How>
    detail::outcome<How...> finish(const How&... how) noexcept(detail::nothrow<How...>)
    {
        return detail::run(state_, [](cosslice_upload* handle) { return cosslice_upload_finish(handle); }, how...);
    }

    /// Ends the call that is running, or the next one, within 250 ms. Any thread, also in a signal handler.
    void cancel() noexcept { cosslice_upload_cancel(native_handle()); }

    /// A text. Empty while a call is running, but in the exceptions of that call.
    std::string get(info_field<std::string> field) const { return cosslice_upload_get_str(native_handle(), field.number); }
    /// A number. Any thread, any time.
    std::optional<std::uint64_t> get(info_field<std::uint64_t> field) const noexcept
    {
        const std::int64_t number = cosslice_upload_get_i64(native_handle(), field.number);
        return number < 0 ? std::nullopt : std::optional<std::uint64_t>(static_cast<std::uint64_t>(number));
    }
    std::optional<int> get(info_field<int> field) const noexcept { return detail::number_of(native_handle(), field.number); }
    bool get(info_field<bool> field) const noexcept { return cosslice_upload_get_i64(native_handle(), field.number) == 1; }
    phase get(info_field<phase> field) const noexcept
    {
        const std::int64_t number = cosslice_upload_get_i64(native_handle(), field.number);
        return number < 0 ? phase::idle : static_cast<phase>(number);
    }

    /// The details of a failure that a call with `std::nothrow` has just returned.
    failure why(const result& failed) const
    {
        failure details = detail::failure_of(native_handle(), static_cast<cosslice_status>(failed.status()));
        if (details.message.empty())
            details.message = cosslice_status_str(static_cast<cosslice_status>(failed.status()));
        return details;
    }

private:
    detail::answer make(const config& from, std::string_view path)
    {
        auto state = std::make_shared<detail::upload_state>();
        const detail::answer ended = detail::text(path).pass(
            [&](const char* copy) { return cosslice_upload_new(from.native_handle(), copy, &state->handle); });
        if (ended.status == COSSLICE_OK) {
            close();
            state_ = std::move(state);
        }
        return ended;
    }

    std::shared_ptr<detail::upload_state> state_;
};

// ---- library -------------------------------------------------------------------------------------------------------

/// The version of the library that is loaded, such as "0.1.0".
inline std::string_view version() noexcept { return cosslice_version(); }

/// `COSSLICE_ABI_VERSION` of the library that is loaded.
inline std::uint32_t abi_version() noexcept { return cosslice_abi_version(); }

} // namespace cosslice

template <>
struct std::is_error_code_enum<cosslice::errc> : std::true_type {};

#undef COSSLICE_HPP_SHARED
#undef COSSLICE_HPP_EXCEPTIONS

#endif
