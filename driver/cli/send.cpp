#include <aprotic/driver/cli/tool.hpp>

#include <condition_variable>
#include <iostream>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include <aprotic/engine/container.hpp>

namespace aprotic::driver::cli {
namespace {

/// Counts outcomes as they come in on the reactor's thread.
class Tally {
public:
    void add(const engine::Outcome& outcome) {
        const std::lock_guard lock(mutex_);
        ++finished_;
        ++counts_[std::string(name_of(outcome.kind))];
        using Kind = engine::Outcome::Kind;
        if (outcome.kind != Kind::accepted && outcome.kind != Kind::sent && !first_bad_) first_bad_ = outcome;
        changed_.notify_all();
    }

    /// Waits until `count` messages have ended; false when none ended for `patience`.
    bool wait_for(std::size_t count, std::chrono::nanoseconds patience) {
        std::unique_lock lock(mutex_);
        while (finished_ < count) {
            const std::size_t before = finished_;
            if (!changed_.wait_for(lock, patience, [&] { return finished_ != before; })) return false;
        }
        return true;
    }

    std::map<std::string, std::size_t> counts() const {
        const std::lock_guard lock(mutex_);
        return counts_;
    }
    std::optional<engine::Outcome> first_bad() const {
        const std::lock_guard lock(mutex_);
        return first_bad_;
    }

private:
    mutable std::mutex mutex_;
    std::condition_variable changed_;
    std::size_t finished_ = 0;
    std::map<std::string, std::size_t> counts_;
    std::optional<engine::Outcome> first_bad_;
};

struct SendCommand {
    std::string url;
    std::string address;
    std::vector<std::string> messages;
    std::size_t count = 0;
    std::optional<std::size_t> body_size;
    bool settled = false;
    double timeout = 10;
    Way way;

    Exit run(const Output& out) const {
        const auto patience = to_duration(timeout);
        engine::Container container;
        engine::ConnectionOptions options;
        options.connect_timeout = patience;
        if (const auto done = use_way(options, url, way); !done) return out.fail(Exit::usage, done.error());
        engine::Connection connection;
        try {
            connection = container.connect(url, options);
        } catch (const std::invalid_argument& error) {
            return out.fail(Exit::usage, error.what());
        }
        if (const auto open = wait_open(connection, options); !open) return out.fail(open.error());
        const engine::Sender sender = connection.open_sender(address);
        if (const auto open = sender.wait_open(patience); !open) return out.fail(open.error());

        auto tally = std::make_shared<Tally>();
        std::size_t handed_over = 0;
        const auto send = [&](const std::string& body) {
            const auto tracker =
                sender.send(codec::Message(body), {.settled = settled, .timeout = patience, .tag = {}});
            tracker.on_done([tally](const engine::Outcome& outcome) { tally->add(outcome); });
            ++handed_over;
            return !tally->first_bad();
        };
        send_all(send);

        const bool finished = tally->wait_for(handed_over, patience);
        report(out, handed_over, *tally);
        connection.close();
        if (const auto bad = tally->first_bad()) {
            const auto exit = bad->failure ? exit_of(bad->failure->code) : Exit::failed;
            return out.fail(exit, "'" + address + "' at " + connection.peer_name() + ": " + bad->message());
        }
        if (!finished)
            return out.fail(Exit::no_answer, "no outcome from '" + address + "' at " + connection.peer_name() +
                                                 " for " + std::to_string(timeout) + " s (--timeout)");
        return Exit::ok;
    }

    /// Gives each body to `send` until it says stop.
    template <class Send>
    void send_all(Send&& send) const {
        if (!messages.empty() || body_size) {
            std::vector<std::string> bodies = messages.empty() ? std::vector{std::string(*body_size, 'x')} : messages;
            // main() marks what CLI11 must not take apart.
            for (auto& body : bodies)
                if (body.ends_with('\0')) body.pop_back();
            for (std::size_t round = 0; round < std::max<std::size_t>(count, 1); ++round)
                for (const auto& body : bodies)
                    if (!send(body)) return;
            return;
        }
        std::size_t sent = 0;
        for (std::string line; (count == 0 || sent < count) && std::getline(std::cin, line); ++sent)
            if (!send(line)) return;
    }

    void report(const Output& out, std::size_t handed_over, const Tally& tally) const {
        Json object = {{"address", address}, {"messages", handed_over}};
        std::string text =
            std::to_string(handed_over) + (handed_over == 1 ? " message to '" : " messages to '") + address + "':";
        for (const auto& [name, number] : tally.counts()) {
            object[name] = number;
            text += " " + std::to_string(number) + " " + name;
        }
        out.either(text, object);
    }
};

}  // namespace

void add_send(Tool& tool) {
    auto options = std::make_shared<SendCommand>();
    CLI::App* command = tool.add("send", "Send messages to an address and tell what became of them.",
                                 [options](const Output& out) { return options->run(out); });
    command->add_option("URL", options->url, "amqp://[user[:password]@]host[:port], amqps:// likewise, or unix:PATH")
        ->required();
    command->add_option("ADDRESS", options->address, "the node, for example a queue")->required();
    command->add_option("MESSAGE", options->messages, "bodies, as strings; none: one for each line of standard input");
    command->add_option("--count", options->count, "send each so often; of standard input, at most so many lines")
        ->type_name("N");
    command->add_option("--body-size", options->body_size, "without MESSAGE: a body of so many octets instead of lines")
        ->type_name("OCTETS");
    command->add_flag("--settled", options->settled, "fire and forget: no outcome is waited for");
    add_way(command, options->way);
    add_timeout(command, options->timeout,
                "longest wait for the connection, for credit and for an outcome (default: 10)");
}

}  // namespace aprotic::driver::cli
