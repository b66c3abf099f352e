package dev.penstock.testkit.bench;

import dev.penstock.testkit.bench.load.Target;
import dev.penstock.testkit.bench.peer.Peer;
import dev.penstock.testkit.bench.peer.Peers;
import dev.penstock.testkit.bench.peer.Site;
import dev.penstock.testkit.bench.process.Children;
import java.io.IOException;
import java.io.PrintStream;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;

/// One run: starts the target and the peers, goes round and round, collects. One thread at a time.
final class Bench {
  private static final List<Measure> KIT_WARM_UP =
      List.of(Measure.UP, Measure.DOWN, Measure.PING, Measure.RATE, Measure.CONNECTIONS);

  private final Plan plan;
  private final List<Peer> peers;
  private final Children children;
  private final PrintStream progress;
  private final Report report;

  /// @param children what ends the processes when the run ends in any way
  Bench(Plan plan, List<Peer> peers, Children children, PrintStream progress) {
    this.plan = plan;
    this.peers = List.copyOf(peers);
    this.children = children;
    this.progress = progress;
    this.report = new Report(Environment.read(), plan);
  }

  /// @param site its running tunnel; null when a tunnel lives for one measure only
  private record Contestant(Peer peer, @Nullable Site site) {}

  /// Runs it to its end. A peer that is missing or does not work is noted and left out.
  ///
  /// @throws IOException when the kit itself does not work: no target process, not even an echo
  ///   without a tunnel
  Report run() throws IOException {
    var contestants = new ArrayList<Contestant>();
    try (var target = Target.start(children)) {
      var measurer = new Measurer(plan, target);
      warmKit(measurer, target);
      for (var peer : peers) {
        enter(peer, measurer, target, contestants);
      }
      for (int round = 1; round <= plan.rounds(); round++) {
        for (var measure : plan.measures()) {
          for (var contestant : contestants) {
            if (!children.isClosed() && applies(measure, contestant.peer)) {
              measure(round, measure, contestant, measurer, target);
            }
          }
        }
      }
    } finally {
      contestants.stream().map(Contestant::site).filter(Objects::nonNull).forEach(Site::close);
    }
    return report;
  }

  /// What has no processes has no memory and no start either; not every tunnel carries datagrams.
  private static boolean applies(Measure measure, Peer peer) {
    return (measure.needs() == Measure.Needs.WARM || !peer.tools().isEmpty())
        && (measure != Measure.UDP || peer.carriesUdp());
  }

  /// The kit's own code has to be warm before the first peer is measured with it.
  private void warmKit(Measurer measurer, Target target) throws IOException {
    try (var site = Site.start(Peers.DIRECT, target.port(), children)) {
      for (var measure : KIT_WARM_UP) {
        measurer.measure(measure, Peers.DIRECT, site);
      }
    }
  }

  /// Starts the peer, which is also its smoke test.
  private void enter(Peer peer, Measurer measurer, Target target, List<Contestant> contestants) {
    var missing = peer.tools().stream().filter(tool -> tool.find().isEmpty()).findFirst();
    String state =
        missing
            .map(tool -> "missing: " + tool.name() + " (" + tool.install() + ")")
            .orElseGet(() -> start(peer, measurer, target, contestants));
    String version =
        missing.isPresent() || peer.tools().isEmpty() ? "-" : peer.tools().getFirst().version();
    report.peer(peer.name(), new Report.PeerInfo(version, peer.note(), state));
    progress.println(peer.name() + ": " + state);
  }

  private String start(Peer peer, Measurer measurer, Target target, List<Contestant> contestants) {
    try {
      var site = startWarm(peer, measurer, target);
      switch (plan.lifetime()) {
        case WHOLE_RUN -> contestants.add(new Contestant(peer, site));
        case ONE_MEASURE -> {
          site.close();
          contestants.add(new Contestant(peer, null));
        }
      }
      return "measured";
    } catch (IOException e) {
      fail(0, peer, "smoke test", e);
      return "failed";
    }
  }

  private Site startWarm(Peer peer, Measurer measurer, Target target) throws IOException {
    var site = Site.start(peer, target.port(), children);
    try {
      measurer.warmUp(peer, site);
      return site;
    } catch (IOException e) {
      site.close();
      throw e;
    }
  }

  private void measure(
      int round, Measure measure, Contestant contestant, Measurer measurer, Target target) {
    var peer = contestant.peer;
    try {
      Map<Metric, Double> numbers =
          switch (measure.needs()) {
            case FRESH -> {
              try (var site = Site.start(peer, target.port(), children)) {
                yield measurer.measure(measure, peer, site);
              }
            }
            case WARM -> {
              if (contestant.site != null) {
                yield measurer.measure(measure, peer, contestant.site);
              }
              try (var site = startWarm(peer, measurer, target)) {
                yield measurer.measure(measure, peer, site);
              }
            }
          };
      double load = Environment.load();
      numbers.forEach((metric, value) ->
          report.add(new Report.Sample(round, peer.name(), metric, value, load)));
      progress.printf(
          "round %d/%d  %s  %s  %s%n",
          round,
          plan.rounds(),
          measure,
          peer.name(),
          numbers.entrySet().stream()
              .map(entry -> Summary.number(entry.getValue()) + " " + entry.getKey().unit())
              .collect(Collectors.joining("  ")));
    } catch (IOException e) {
      fail(round, peer, measure.toString(), e);
    }
  }

  private void fail(int round, Peer peer, String what, IOException cause) {
    String reason = Objects.requireNonNullElse(cause.getMessage(), cause.toString());
    report.add(new Report.Failure(round, peer.name(), what, reason));
    progress.printf("round %d  %s  %s failed: %s%n", round, what, peer.name(), reason);
  }
}
