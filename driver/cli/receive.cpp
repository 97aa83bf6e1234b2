#include <aprotic/driver/cli/tool.hpp>

#include <algorithm>
#include <memory>
#include <optional>

#include <aprotic/driver/cli/message_json.hpp>
#include <aprotic/engine/container.hpp>

namespace aprotic::driver::cli {
namespace {

constexpr std::uint32_t credit_max = 100;

struct ReceiveCommand {
    std::string url;
    std::string address;
    std::size_t count = 0;
    std::optional<double> timeout;
    double connect_timeout = 10;
    Way way;

    Exit run(const Output& out) const {
        engine::Container container;
        engine::ConnectionOptions options;
        options.connect_timeout = to_duration(connect_timeout);
        if (const auto done = use_way(options, url, way); !done) return out.fail(Exit::usage, done.error());
        engine::Connection connection;
        try {
            connection = container.connect(url, options);
        } catch (const std::invalid_argument& error) {
            return out.fail(Exit::usage, error.what());
        }
        if (const auto open = wait_open(connection, options); !open) return out.fail(open.error());
        // With --count the credit is counted out, so that nothing is taken from the node that is not printed.
        const auto receiver = connection.open_receiver(address, {.link = {}, .credit = count == 0 ? credit_max : 0});
        if (const auto open = receiver.wait_open(options.connect_timeout); !open) return out.fail(open.error());

        std::size_t granted = 0;
        const auto grant = [&](std::size_t more) {
            const auto credit = static_cast<std::uint32_t>(std::min(more, count - granted));
            if (credit > 0) receiver.add_credit(credit);
            granted += credit;
        };
        if (count > 0) grant(credit_max);

        std::size_t received = 0;
        while (count == 0 || received < count) {
            auto delivery = receiver.try_receive(to_duration(timeout.value_or(1e6)));
            if (!delivery) {
                const auto failure = delivery.error();
                if (failure.code != engine::make_error_code(engine::Errc::timed_out)) return out.fail(failure);
                if (!timeout) continue;
                if (count == 0 && received > 0) break;
                return out.fail(Exit::no_answer, missing(received, connection.peer_name()));
            }
            print(out, *delivery);
            delivery->accept();
            ++received;
            if (count > 0) grant(1);
        }
        receiver.close();
        connection.close();
        // What was accepted is told before the process ends.
        static_cast<void>(connection.wait_closed(options.close_timeout));
        return Exit::ok;
    }

    void print(const Output& out, const engine::Delivery& delivery) const {
        const auto& message = delivery.message();
        if (!out.json) return out.line(body_text(message));
        Json object = {{"address", address}, {"settled", delivery.is_settled()}};
        object.update(to_json(message));
        out.line(object);
    }

    std::string missing(std::size_t received, const std::string& peer) const {
        std::string text = "nothing came";
        if (received > 0)
            text = std::to_string(received) + " of " + std::to_string(count) + " messages came, then nothing";
        return text + " from '" + address + "' at " + peer + " for " + Json(*timeout).dump() + " s (--timeout)";
    }
};

}  // namespace

void add_receive(Tool& tool) {
    auto options = std::make_shared<ReceiveCommand>();
    CLI::App* command = tool.add("receive", "Print the messages of an address, one a line, and accept them.",
                                 [options](const Output& out) { return options->run(out); });
    command->add_option("URL", options->url, "amqp://[user[:password]@]host[:port], amqps:// likewise, or unix:PATH")
        ->required();
    command->add_option("ADDRESS", options->address, "the node, for example a queue")->required();
    command->add_option("--count", options->count, "end after so many messages (default: go on for ever)")
        ->type_name("N");
    command->add_option("--timeout", options->timeout, "end when none came for so long (default: wait for ever)")
        ->check(CLI::Range(0.001, 1e6))
        ->type_name("SECONDS");
    command->add_option("--connect-timeout", options->connect_timeout, "longest wait for the connection and the link")
        ->check(CLI::Range(0.001, 1e6))
        ->type_name("SECONDS")
        ->capture_default_str();
    add_way(command, options->way);
    command->footer("Exit code 4 when --timeout passed before --count messages, or before any, had come.");
}

}  // namespace aprotic::driver::cli
