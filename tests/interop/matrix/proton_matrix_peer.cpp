// Proton C++ in the place of one of our peers; rhea_peer.js does the same with rhea. Each line of output is one JSON
// object.
//
//     proton_matrix_peer send|receive|drain URL ADDRESS [OPTION VALUE]...  as message_peer.cpp
//     proton_matrix_peer serve URL ADDRESS...              answers requests of the RPC protocol until standard input
//     ends proton_matrix_peer call URL ADDRESS METHOD ARGS [--reply-to A] [--monitor SECONDS] proton_matrix_peer cast
//     URL ADDRESS METHOD ARGS proton_matrix_peer notify URL ADDRESS EVENT proton_matrix_peer listen URL ADDRESS until
//     standard input ends; asks for the first "again" a second time
//
// An option for all: --ca FILE. Replies come on a dynamic node, or where --reply-to says.

#include <iostream>
#include <map>
#include <memory>
#include <set>
#include <sstream>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include <nlohmann/json.hpp>

#include <proton/connection.hpp>
#include <proton/connection_options.hpp>
#include <proton/container.hpp>
#include <proton/delivery.hpp>
#include <proton/error_condition.hpp>
#include <proton/messaging_handler.hpp>
#include <proton/receiver.hpp>
#include <proton/receiver_options.hpp>
#include <proton/reconnect_options.hpp>
#include <proton/sender.hpp>
#include <proton/source.hpp>
#include <proton/source_options.hpp>
#include <proton/ssl.hpp>
#include <proton/tracker.hpp>
#include <proton/work_queue.hpp>

#include "proton_bodies.hpp"

namespace {

using nlohmann::json;
using proton::message;

void say(const json& what) { std::cout << what.dump() << std::endl; }

struct Arguments {
    std::string role, url;
    std::vector<std::string> words;
    std::map<std::string, std::string> options;

    Arguments(int argc, char** argv) {
        for (int i = 1; i < argc; ++i) {
            const std::string word = argv[i];
            if (word.compare(0, 2, "--") == 0 && i + 1 < argc)
                options[word.substr(2)] = argv[++i];
            else
                words.push_back(word);
        }
        if (words.size() < 3) throw std::runtime_error("ROLE URL ADDRESS …");
        role = words[0], url = words[1];
        words.erase(words.begin(), words.begin() + 2);
    }
    std::size_t number(const std::string& name, std::size_t otherwise) const {
        const auto at = options.find(name);
        return at == options.end() ? otherwise : std::stoull(at->second);
    }
    std::set<std::uint64_t> numbers(const std::string& name) const {
        std::set<std::uint64_t> found;
        const auto at = options.find(name);
        std::istringstream words_of(at == options.end() ? "" : at->second);
        for (std::string word; std::getline(words_of, word, ',');) found.insert(std::stoull(word));
        return found;
    }
};

class Peer : public proton::messaging_handler {
public:
    explicit Peer(const Arguments& given) : arguments(given), large(given.number("large", 0)) {
        const auto without = given.numbers("without");
        for (std::uint64_t kind = 0; kind < matrix::kinds && kinds.size() < given.number("count", matrix::kinds);
             ++kind)
            if (!without.count(kind)) kinds.push_back(kind);
        if (large != 0) kinds.push_back(matrix::kinds);
        total = kinds.size();
    }

    void on_container_start(proton::container& container) override {
        proton::connection_options options;
        const auto ca = arguments.options.find("ca");
        options.reconnect(proton::reconnect_options().max_attempts(1));
        options.sasl_allow_insecure_mechs(ca == arguments.options.end());
        if (ca != arguments.options.end())
            options.ssl_client_options(proton::ssl_client_options(ca->second, proton::ssl::VERIFY_PEER_NAME));
        container.connect(arguments.url, options);
    }
    void on_connection_open(proton::connection& opened) override {
        connection = opened;
        start();
    }
    void on_error(const proton::error_condition& error) override {
        if (!over) failed = error.what();
        if (connection) connection.close();
    }
    virtual void start() = 0;

    bool over = false;
    std::string failed;

protected:
    void finish(const json& what) {
        if (over) return;
        over = true;
        say(what);
        connection.close();
    }
    proton::receiver read(const std::string& address) {
        return connection.open_receiver(address, proton::receiver_options().credit_window(100).auto_accept(false));
    }

    const Arguments arguments;
    const std::size_t large;
    std::vector<std::uint64_t> kinds;
    std::size_t total;
    proton::connection connection;
};

class Send final : public Peer {
public:
    using Peer::Peer;
    void start() override { connection.open_sender(arguments.words[0]); }
    void on_sendable(proton::sender& sender) override {
        for (; sender.credit() > 0 && sent_ < total; ++sent_) sender.send(matrix::make(kinds[sent_], large));
    }
    void on_tracker_accept(proton::tracker&) override { end(true); }
    void on_tracker_reject(proton::tracker&) override { end(false); }
    void on_tracker_release(proton::tracker&) override { end(false); }

private:
    void end(bool accepted) {
        accepted_ += accepted;
        if (++ended_ == total) finish({{"event", "sent"}, {"accepted", accepted_}, {"others", json::array()}});
    }
    std::size_t sent_ = 0, ended_ = 0, accepted_ = 0;
};

class Receive final : public Peer {
public:
    using Peer::Peer;
    void start() override { read(arguments.words[0]); }
    void on_receiver_open(proton::receiver&) override { say({{"event", "started"}}); }
    void on_message(proton::delivery& delivery, message& got) override {
        if (const auto what = matrix::difference(got, large); !what.empty()) wrong_.insert(what);
        delivery.accept();
        if (++received_ == total) finish({{"event", "received"}, {"count", received_}, {"wrong", wrong_}, {"why", ""}});
    }

private:
    std::size_t received_ = 0;
    std::set<std::string> wrong_;
};

class Drain final : public Peer {
public:
    using Peer::Peer;
    void start() override {
        receiver_ = connection.open_receiver(arguments.words[0],
                                             proton::receiver_options().credit_window(0).auto_accept(false));
    }
    void on_receiver_open(proton::receiver& receiver) override {
        receiver.add_credit(100);
        receiver.drain();
    }
    void on_message(proton::delivery& delivery, message&) override {
        ++received_;
        delivery.accept();
    }
    void on_receiver_drain_finish(proton::receiver&) override {
        finish({{"event", "drained"}, {"count", received_}, {"why", ""}});
    }

private:
    proton::receiver receiver_;
    std::size_t received_ = 0;
};

json request(const std::string& method, const json& args) {
    return {{"request", {{"method", method}, {"args", args}, {"namespace", "interop"}, {"version", "1.3"}}},
            {"context", {{"user", "alice"}}}};
}

/// Until standard input ends; then the connection is closed from Proton's own thread.
class UntilInputEnds : public Peer {
public:
    using Peer::Peer;
    void start() override {
        for (const auto& address : arguments.words) read(address);
        std::thread([this, queue = &connection.work_queue()] {
            for (std::string line; std::getline(std::cin, line);) {
            }
            queue->add([this] {
                over = true;
                connection.close();
            });
        }).detach();
    }
    void on_receiver_open(proton::receiver&) override {
        if (++opened_ == arguments.words.size()) say({{"event", "started"}});
    }

private:
    std::size_t opened_ = 0;
};

class Serve final : public UntilInputEnds {
public:
    using UntilInputEnds::UntilInputEnds;
    void on_message(proton::delivery& delivery, message& got) override {
        delivery.accept();
        const json body = json::parse(proton::get<std::string>(got.body()));
        const json& call = body["request"];
        const std::string method = call["method"];
        const json args = call["args"];
        if (method == "note") return say({{"event", "note"}, {"server", "foreign"}, {"text", args["text"]}});
        if (got.reply_to().empty()) return;
        const std::string to = got.reply_to();
        const proton::message_id id = got.id();
        if (method == "echo") {
            reply(to, id,
                  {{"response", {{"value", args["value"]}, {"server", "foreign"}, {"context", body["context"]}}}});
        } else if (method == "slow") {
            beat(to, id, static_cast<int>(args["seconds"].get<double>()));
        } else if (method == "boom") {
            fail(to, id, "ValueError", "builtins", args["why"]);
        } else {
            fail(to, id, "NoSuchMethod", "oslo_messaging.rpc.dispatcher", "no " + method);
        }
    }

private:
    /// A sign of life each second, then the answer.
    void beat(const std::string& to, const proton::message_id& id, int seconds) {
        if (seconds <= 0) return reply(to, id, {{"response", "slept"}});
        reply(to, id, nullptr);
        connection.work_queue().schedule(proton::duration(1000),
                                         [this, to, id, seconds] { beat(to, id, seconds - 1); });
    }
    void fail(const std::string& to, const proton::message_id& id, const std::string& type, const std::string& module,
              const std::string& why) {
        const json failure = {{"class", type},       {"module", module}, {"message", why},
                              {"tb", json::array()}, {"args", {why}},    {"kwargs", json::object()}};
        reply(to, id, {{"failure", failure.dump()}});
    }
    void reply(const std::string& to, const proton::message_id& id, const json& body) {
        auto& sender = senders_[to];
        if (!sender) sender = connection.open_sender(to);
        message m;
        m.to(to);
        m.correlation_id(id);
        if (!body.is_null()) m.body(body.dump());
        sender.send(m);
    }
    void on_sender_error(proton::sender&) override {}  // a client has gone, and its node with it

    std::map<std::string, proton::sender> senders_;
};

class Listen final : public UntilInputEnds {
public:
    using UntilInputEnds::UntilInputEnds;
    void on_message(proton::delivery& delivery, message& got) override {
        json body = json::parse(proton::get<std::string>(got.body()));
        json note = body["request"];
        if (note.contains("oslo.message")) note = json::parse(note["oslo.message"].get<std::string>());
        const std::string event = note["event_type"];
        say({{"event", "notification"}, {"event_type", event}, {"payload", note["payload"]}});
        if (event == "again" && !std::exchange(again_, true))
            delivery.release();
        else
            delivery.accept();
    }

private:
    bool again_ = false;
};

/// call, cast and notify.
class Ask final : public Peer {
public:
    using Peer::Peer;
    void start() override {
        sender_ = connection.open_sender(arguments.words[0]);
        if (arguments.role != "call") return;
        const auto at = arguments.options.find("reply-to");
        if (at != arguments.options.end())
            read(at->second);
        else
            connection.open_receiver("", proton::receiver_options().credit_window(100).auto_accept(true).source(
                                             proton::source_options().dynamic(true)));
    }
    void on_receiver_open(proton::receiver& receiver) override {
        reply_to_ = receiver.source().address();
        send();
    }
    void on_sendable(proton::sender&) override { send(); }
    void on_tracker_accept(proton::tracker&) override {
        if (arguments.role != "call") finish({{"event", "sent"}});
    }
    // A router gives back to the sender what a receiver gives back.
    void on_tracker_release(proton::tracker&) override {
        sent_ = false;
        send();
    }
    void on_message(proton::delivery& delivery, message& got) override {
        delivery.accept();
        if (got.correlation_id() != id_) return;
        // RabbitMQ puts an empty data section where there was no body.
        if (got.body().empty() || got.body().type() == proton::BINARY) {
            ++heartbeats_;
            return;
        }
        const json reply = json::parse(proton::get<std::string>(got.body()));
        json failure = reply.value("failure", json());
        if (failure.is_string()) failure = json::parse(failure.get<std::string>());
        finish({{"event", "reply"},
                {"response", reply.value("response", json())},
                {"failure", failure},
                {"heartbeats", heartbeats_}});
    }

private:
    void send() {
        if (sent_ || sender_.credit() <= 0 || (arguments.role == "call" && reply_to_.empty())) return;
        sent_ = true;
        message m;
        json body;
        if (arguments.role == "notify") {
            body = {{"request",
                     {{"event_type", arguments.words[1]},
                      {"publisher_id", "pub.host1"},
                      {"priority", "INFO"},
                      {"payload", {{"n", 5}}},
                      {"message_id", "3e5c1ab2-0b7e-4c7b-8f0e-0d9f8a7b6c5d"},
                      {"timestamp", "2026-01-02 03:04:05.000006"}}},
                    {"context", {{"user", "alice"}}}};
        } else {
            body = request(arguments.words[1], json::parse(arguments.words[2]));
            if (const auto at = arguments.options.find("monitor"); at != arguments.options.end())
                body["call_monitor_timeout"] = std::stoi(at->second);
        }
        m.to(arguments.words[0]);
        m.body(body.dump());
        if (arguments.role == "call") {
            id_ = proton::message_id(proton::uuid::random().str());
            m.id(id_);
            m.reply_to(reply_to_);
        }
        sender_.send(m);
    }

    proton::sender sender_;
    std::string reply_to_;
    proton::message_id id_;
    bool sent_ = false;
    int heartbeats_ = 0;
};

std::unique_ptr<Peer> make(const Arguments& arguments) {
    if (arguments.role == "send") return std::make_unique<Send>(arguments);
    if (arguments.role == "receive") return std::make_unique<Receive>(arguments);
    if (arguments.role == "drain") return std::make_unique<Drain>(arguments);
    if (arguments.role == "serve") return std::make_unique<Serve>(arguments);
    if (arguments.role == "listen") return std::make_unique<Listen>(arguments);
    return std::make_unique<Ask>(arguments);
}

}  // namespace

int main(int argc, char** argv) {
    try {
        const auto peer = make(Arguments(argc, argv));
        proton::container(*peer).run();
        if (peer->over) return 0;
        say({{"event", "failed"}, {"why", peer->failed.empty() ? "the connection ended" : peer->failed}});
    } catch (const std::exception& error) {
        say({{"event", "failed"}, {"why", error.what()}});
    }
    return 1;
}
