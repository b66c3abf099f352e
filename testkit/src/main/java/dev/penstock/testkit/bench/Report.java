package dev.penstock.testkit.bench;

import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.SerializationFeature;
import dev.penstock.testkit.bench.peer.Peers;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/// All that a run found, and its tables. One thread at a time.
final class Report {
  private final Environment environment;
  private final Plan plan;
  private final Map<String, PeerInfo> peers = new LinkedHashMap<>();
  private final List<Sample> samples = new ArrayList<>();
  private final List<Failure> failures = new ArrayList<>();

  Report(Environment environment, Plan plan) {
    this.environment = environment;
    this.plan = plan;
  }

  /// A peer of the run.
  ///
  /// @param state `measured`, or why not
  record PeerInfo(String version, String note, String state) {}

  /// One number of one round.
  ///
  /// @param load the load average when it was taken
  record Sample(int round, String peer, Metric metric, double value, double load) {}

  /// A measure of one round that ended without numbers.
  record Failure(int round, String peer, String measure, String reason) {}

  void peer(String name, PeerInfo info) {
    peers.put(name, info);
  }

  void add(Sample sample) {
    samples.add(sample);
  }

  void add(Failure failure) {
    failures.add(failure);
  }

  List<Failure> failures() {
    return List.copyOf(failures);
  }

  /// The rounds of one number; empty when no round has it.
  Optional<Summary> summary(String peer, Metric metric) {
    var values =
        samples.stream()
            .filter(sample -> sample.peer.equals(peer) && sample.metric == metric)
            .map(Sample::value)
            .toList();
    return values.isEmpty() ? Optional.empty() : Optional.of(Summary.of(values));
  }

  /// The report in Markdown: the machine, the peers, a table per measure, what failed.
  String markdown() {
    var text = new StringBuilder();
    var loads = samples.stream().map(Sample::load).toList();
    text.append(
        "%s, %d x %s, %s, congestion control %s, kit on Java %s; %d rounds of %s s, %s%s.%n%n"
            .formatted(
                environment.kernel(),
                environment.cores(),
                environment.cpu(),
                environment.date(),
                environment.congestionControl(),
                environment.java(),
                plan.rounds(),
                Summary.number(plan.window().toMillis() / 1000.0),
                plan.lifetime() == Plan.Lifetime.WHOLE_RUN
                    ? "peers alternating, all running"
                    : "peers alternating, each alone",
                loads.isEmpty() ? "" : ", load average " + Summary.of(loads)));
    text.append(
        "Cells: median (min-max), x ratio to %s. s/GB is CPU of gateway and agent.%n%n"
            .formatted(Peers.BASE));
    var table = new Table(List.of("peer", "version", "configuration", "state"));
    peers.forEach((name, info) -> table.add(List.of(name, info.version, info.note, info.state)));
    text.append(table.render());
    for (var measure : plan.measures()) {
      text.append("\n### ").append(measure.title()).append("\n\n").append(table(measure));
    }
    if (!failures.isEmpty()) {
      text.append("\n### Failed\n\n");
      for (var failure : failures) {
        text.append(
            "- %s, %s, round %d: %s%n"
                .formatted(failure.peer, failure.measure, failure.round, failure.reason));
      }
    }
    return text.toString();
  }

  private String table(Measure measure) {
    var metrics =
        measure.metrics().stream()
            .filter(metric ->
                peers.keySet().stream().anyMatch(peer -> summary(peer, metric).isPresent()))
            .toList();
    var header = new ArrayList<>(List.of("peer"));
    metrics.forEach(metric -> header.add(metric.column()));
    var table = new Table(header);
    for (var peer : peers.keySet()) {
      var row = new ArrayList<>(List.of(peer));
      metrics.forEach(metric -> row.add(cell(peer, metric)));
      if (row.stream().skip(1).anyMatch(cell -> !cell.equals("-"))) {
        table.add(row);
      }
    }
    return table.render();
  }

  private String cell(String peer, Metric metric) {
    var own = summary(peer, metric);
    var base = summary(Peers.BASE, metric).filter(summary -> summary.median() > 0);
    if (own.isEmpty()) {
      return "-";
    }
    return base.isEmpty() || peer.equals(Peers.BASE)
        ? own.get().toString()
        : own.get() + " x" + Summary.number(own.get().median() / base.get().median());
  }

  /// Writes everything, every sample too, as JSON.
  void writeJson(Path file) throws IOException {
    var content = new LinkedHashMap<String, Object>();
    content.put("environment", environment);
    content.put("rounds", plan.rounds());
    content.put("seconds", plan.window().toMillis() / 1000.0);
    content.put("lifetime", plan.lifetime());
    content.put("peers", peers);
    content.put("summaries", summaries());
    content.put("samples", samples);
    content.put("failures", failures);
    new ObjectMapper()
        .enable(SerializationFeature.INDENT_OUTPUT)
        .writeValue(file.toFile(), content);
  }

  private Map<String, Map<Metric, Summary>> summaries() {
    var all = new LinkedHashMap<String, Map<Metric, Summary>>();
    for (var peer : peers.keySet()) {
      var own = new LinkedHashMap<Metric, Summary>();
      for (var metric : Metric.values()) {
        summary(peer, metric).ifPresent(summary -> own.put(metric, summary));
      }
      all.put(peer, own);
    }
    return all;
  }
}
