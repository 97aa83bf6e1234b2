"""What came of the checks, as a table for people and as JUnit for machines."""
import datetime
import xml.etree.ElementTree as ElementTree

CHECKS = ("call", "cast", "fanout", "error", "monitored call", "notification", "requeue", "bodies", "large message", "drain", "TLS", "SASL")
PASSED, FAILED, SKIPPED = "passed", "FAILED", "skipped"
CELLS = {PASSED: "yes", FAILED: "**FAILED**"}


class Result(object):
    def __init__(self, intermediary, pairing, check, state, text="", seconds=0.0):
        self.intermediary, self.pairing, self.check = intermediary, pairing, check
        self.state, self.text, self.seconds = state, text, seconds


class Report(object):
    def __init__(self):
        self.results = []
        self.intermediaries = {}  # title: version
        self.pairings = {}        # title: version

    def add(self, *arguments, **more):
        self.results.append(Result(*arguments, **more))
        latest = self.results[-1]
        print("%-26s %-15s %-15s %s%s" % (latest.intermediary, latest.pairing, latest.check, latest.state,
                                          ": " + latest.text if latest.text else ""), flush=True)

    def failed(self):
        return [result for result in self.results if result.state == FAILED]

    def markdown(self):
        reasons = []
        out = ["Checked on %s: %s." % (datetime.date.today().isoformat(), ", ".join("%s %s" % pair for pair in self.intermediaries.items())),
               "The other side: %s." % ", ".join("%s %s" % pair for pair in self.pairings.items() if pair[0] != "ours"), ""]
        out += self.summary()
        for pairing in self.pairings:
            mine = [result for result in self.results if result.pairing == pairing]
            columns = [title for title in self.intermediaries if any(result.intermediary == title for result in mine)]
            if not columns:
                continue
            out += ["", "**%s**" % ("Ours on both sides" if pairing == "ours" else "Ours and %s, both ways" % pairing), "",
                    "| | %s |" % " | ".join(columns), "|---|%s" % ("---|" * len(columns))]
            for check in CHECKS:
                row = [self.cell(mine, title, check, reasons) for title in columns]
                if any(row):
                    out.append("| %s | %s |" % (check, " | ".join(row)))
        if reasons:
            out += [""] + ["%d. %s" % (number, reason) for number, reason in enumerate(reasons, 1)]
        return "\n".join(out) + "\n"

    def summary(self):
        """What passed of what can be done, a column for each intermediary."""
        out = ["| through | %s |" % " | ".join("%s %s" % pair for pair in self.intermediaries.items()),
               "|---|%s" % ("---|" * len(self.intermediaries))]
        for pairing in self.pairings:
            cells = []
            for title in self.intermediaries:
                states = [result.state for result in self.results if (result.intermediary, result.pairing) == (title, pairing)]
                tried = len(states) - states.count(SKIPPED)
                cells.append("%d of %d" % (states.count(PASSED), tried) if tried else "-")
            out.append("| %s | %s |" % ("ours with ours" if pairing == "ours" else "with " + pairing, " | ".join(cells)))
        return out

    @staticmethod
    def cell(results, title, check, reasons):
        found = [result for result in results if result.intermediary == title and result.check == check]
        if not found:
            return ""
        result = found[0]
        if not result.text or result.state == FAILED:
            return CELLS.get(result.state, result.state)
        if result.text not in reasons:
            reasons.append(result.text)
        return "%s [%d]" % ("yes" if result.state == PASSED else "no", reasons.index(result.text) + 1)

    def junit(self, path):
        suites = ElementTree.Element("testsuites", name="interop matrix")
        for title, version in self.intermediaries.items():
            mine = [result for result in self.results if result.intermediary == title]
            suite = ElementTree.SubElement(suites, "testsuite", name=title, tests=str(len(mine)),
                                           failures=str(sum(result.state == FAILED for result in mine)),
                                           skipped=str(sum(result.state == SKIPPED for result in mine)),
                                           time="%.3f" % sum(result.seconds for result in mine))
            properties = ElementTree.SubElement(suite, "properties")
            for name, value in [(title, version)] + list(self.pairings.items()):
                ElementTree.SubElement(properties, "property", name=name, value=value)
            for result in mine:
                case = ElementTree.SubElement(suite, "testcase", classname="%s.%s" % (title, result.pairing), name=result.check,
                                              time="%.3f" % result.seconds)
                if result.state == FAILED:
                    ElementTree.SubElement(case, "failure", message=result.text)
                elif result.state == SKIPPED:
                    ElementTree.SubElement(case, "skipped", message=result.text)
                elif result.text:
                    ElementTree.SubElement(case, "system-out").text = result.text
        ElementTree.ElementTree(suites).write(path, encoding="utf-8", xml_declaration=True)
