"""The broker of this library, as `aprotic broker` runs it: one process for anybody, a second one for users and TLS."""
from intermediary import PASSWORD, USER, Intermediary, output_of
from run import Program, need_program


class Embedded(Intermediary):
    name = "embedded"
    title = "aprotic broker"
    secure = None

    def find(self):
        need_program(self.options.aprotic, "aprotic")

    def version(self):
        return output_of(self.options.aprotic, "--version").split()[-1]

    def command(self):
        return (self.options.aprotic, "broker", "--listen", self.at)

    def start(self):
        if self.secure is None:
            self.secure = Program("aprotic broker with users", self.options.aprotic, "broker", "--listen", "127.0.0.1:%d" % self.tls_port,
                                  "--user", "%s:%s" % (USER, PASSWORD), "--tls-cert", self.keys.path("server.pem"), "--tls-key",
                                  self.keys.path("server.key"), "--tls-optional")
        return super().start()

    @property
    def programs(self):
        return super().programs + [self.secure]

    @property
    def passwords_at(self):
        return self.tls_at

    def end(self):
        try:
            super().end()
        finally:
            if self.secure:
                self.secure.stop()
